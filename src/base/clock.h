/* Clocks, and times as text. */
#ifndef LLMLAB_BASE_CLOCK_H
#define LLMLAB_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

static inline int64_t
llmlab__clock_read(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* CLOCK_MONOTONIC in nanoseconds: for durations and deadlines. */
static inline int64_t
llmlab__clock_mono_ns(void)
{
    return llmlab__clock_read(CLOCK_MONOTONIC);
}

/* CLOCK_REALTIME in nanoseconds since 1970. */
static inline int64_t
llmlab__clock_real_ns(void)
{
    return llmlab__clock_read(CLOCK_REALTIME);
}

/* realtime - monotonic, from three reads so that a preemption in between is
 * noticed. Add it to a monotonic time to get a Unix time. */
int64_t llmlab__clock_offset_ns(void);

/* "2026-08-21T07:09:40.123456789Z" (30 bytes and a NUL). Years 0..9999. */
#define LLMLAB__TIME_TEXT 32
size_t llmlab__time_format(int64_t unix_ns, char out[LLMLAB__TIME_TEXT]);

/* RFC 3339 with Z or an offset, date alone too ("2026-08-21" is midnight
 * UTC). 0, or -1 when it is none. */
int llmlab__time_parse(const char *text, size_t size, int64_t *out_ns);

/* Days since 1970-01-01 of a proleptic Gregorian date, and back. */
int64_t llmlab__days_from_civil(int64_t year, unsigned month, unsigned day);
void llmlab__civil_from_days(int64_t days, int64_t *year, unsigned *month,
                             unsigned *day);

#endif
