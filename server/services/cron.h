/* Schedules in cron form, in UTC: minute, hour, day of month, month, day of
 * week (0 or 7 is Sunday), each a *, a number, a range a-b, a list of these
 * with commas, or any of them with a step /n. @hourly, @daily, @weekly and
 * @monthly are understood too. As in cron, a day fits when either of the two
 * days does, if both are restricted. */
#ifndef LLMLAB_SERVICES_CRON_H
#define LLMLAB_SERVICES_CRON_H

#include <stdbool.h>
#include <stdint.h>

typedef struct llmlab__cron_s {
    uint64_t minutes; /* a bit each */
    uint32_t hours;
    uint32_t days;
    uint32_t months;
    uint32_t weekdays;
    bool any_day;
    bool any_weekday;
} llmlab__cron_t;

/* False: the text is no schedule. */
bool llmlab__cron_parse(llmlab__cron_t *out, const char *text);
/* The first fitting minute after the time, both in Unix seconds; INT64_MAX
 * when there is none (the 31st of February). */
int64_t llmlab__cron_next(const llmlab__cron_t *cron, int64_t after);

#endif
