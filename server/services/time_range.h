/* The time range of a question: whole days in a time zone, or instants. */
#ifndef LLMLAB_SERVICES_TIME_RANGE_H
#define LLMLAB_SERVICES_TIME_RANGE_H

#include "services/ingest.h"
#include "services/timezone.h"

typedef struct llmlab__time_range_s {
    int64_t start; /* Unix seconds, included */
    int64_t end;   /* excluded */
    llmlab__zone_t zone;
    char zone_name[65];
} llmlab__time_range_t;

typedef struct llmlab__range_texts_s {
    const char *start_date; /* NULL: not given */
    const char *end_date;
    const char *start;
    const char *end;
    const char *tz;
} llmlab__range_texts_t;

/* False: *problem tells which parameter is wrong. now: Unix seconds. */
bool llmlab__time_range_read(llmlab__time_range_t *out,
                             const llmlab__range_texts_t *texts, int64_t now,
                             llmlab__problem_t *problem);

#endif
