/* Time zones: UTC, a fixed offset, or an IANA name read from the system's
 * TZif files, each once in the life of the process. The C library's own zone
 * is not touched. */
#ifndef LLMLAB_SERVICES_TIMEZONE_H
#define LLMLAB_SERVICES_TIMEZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llmlab/status.h>

typedef struct llmlab__zone_rule_s {
    char form; /* 'M': month, week, day; 'J': 1..365; 'N': 0..365 */
    int month;
    int week;
    int day;
    int64_t time; /* local seconds */
} llmlab__zone_rule_t;

typedef struct llmlab__zone_s {
    /* Transitions of the file: from at[i] on, offset[i] holds. They belong to
     * the process; the struct may be copied. */
    int64_t *at;
    int32_t *offset;
    size_t count;
    int32_t first; /* before the first transition */
    /* After the last: the file's rule for ever. */
    bool has_rule;
    bool has_summer;
    int32_t standard;
    int32_t summer;
    llmlab__zone_rule_t begin; /* of summer time */
    llmlab__zone_rule_t end;
} llmlab__zone_t;

/* LLMLAB_ENOTFOUND (no such zone), LLMLAB_EPARSE (a damaged file). */
llmlab_status_t llmlab__zone_open(llmlab__zone_t *out, const char *name);
/* Seconds east of UTC at an instant. */
int32_t llmlab__zone_offset(const llmlab__zone_t *zone, int64_t unix_seconds);
/* The instant in which a local day begins (days since 1970). */
int64_t llmlab__zone_day_start(const llmlab__zone_t *zone, int64_t day);

#endif
