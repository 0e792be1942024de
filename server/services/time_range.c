#include "services/time_range.h"

#include <string.h>

#include "base/clock.h"

#define DAY_SECONDS  INT64_C(86400)
#define DEFAULT_DAYS 30
#define MAX_DAYS     3660
#define QUARTER      INT64_C(900)

static bool
bad(llmlab__problem_t *problem, const char *field, const char *reason)
{
    llmlab__problem(problem, 400, "bad-parameter", "A parameter is wrong",
                    "%s: %s", field, reason);
    problem->field = field;
    return false;
}

static bool
day_read(const char *text, const char *field, int64_t *out,
         llmlab__problem_t *problem)
{
    int64_t ns;

    if (strlen(text) != 10 || llmlab__time_parse(text, 10, &ns) != 0) {
        return bad(problem, field, "a date such as 2026-08-21 is needed");
    }
    *out =
        ns / (DAY_SECONDS * 1000000000) - (ns % (DAY_SECONDS * 1000000000) < 0);
    return true;
}

static bool
instant_read(const char *text, const char *field, int64_t *out,
             llmlab__problem_t *problem)
{
    int64_t ns;

    if (strlen(text) < 20 || llmlab__time_parse(text, strlen(text), &ns) != 0) {
        return bad(problem, field,
                   "a time such as 2026-08-21T07:00:00Z is needed");
    }
    *out = ns / 1000000000;
    if (ns % (QUARTER * 1000000000) != 0) {
        return bad(problem, field,
                   "costs are summed by quarter hours: the "
                   "minute must be 00, 15, 30 or 45");
    }
    return true;
}

static bool
days_read(llmlab__time_range_t *out, const llmlab__range_texts_t *texts,
          int64_t now, llmlab__problem_t *problem)
{
    int64_t local = now + llmlab__zone_offset(&out->zone, now);
    int64_t last = local / DAY_SECONDS;
    int64_t first;

    if (texts->end_date != NULL &&
        !day_read(texts->end_date, "end_date", &last, problem)) {
        return false;
    }
    first = last - DEFAULT_DAYS + 1;
    if (texts->start_date != NULL &&
        !day_read(texts->start_date, "start_date", &first, problem)) {
        return false;
    }
    out->start = llmlab__zone_day_start(&out->zone, first);
    out->end = llmlab__zone_day_start(&out->zone, last + 1);
    return true;
}

bool
llmlab__time_range_read(llmlab__time_range_t *out,
                        const llmlab__range_texts_t *texts, int64_t now,
                        llmlab__problem_t *problem)
{
    const char *tz = texts->tz == NULL ? "UTC" : texts->tz;
    bool good;

    memset(out, 0, sizeof(*out));
    if (strlen(tz) >= sizeof(out->zone_name) ||
        llmlab__zone_open(&out->zone, tz) != LLMLAB_OK) {
        return bad(problem, "tz", "no such time zone");
    }
    memcpy(out->zone_name, tz, strlen(tz) + 1);
    good = days_read(out, texts, now, problem);
    if (good && texts->start != NULL) {
        good = instant_read(texts->start, "start", &out->start, problem);
    }
    if (good && texts->end != NULL) {
        good = instant_read(texts->end, "end", &out->end, problem);
    }
    if (good && out->start >= out->end) {
        good = bad(problem, texts->end != NULL ? "end" : "end_date",
                   "the end lies before the start");
    }
    if (good && out->end - out->start > MAX_DAYS * DAY_SECONDS) {
        good = bad(problem, texts->end != NULL ? "end" : "end_date",
                   "at most 3660 days can be asked for");
        problem->has_limit = true;
        problem->limit = MAX_DAYS;
    }
    return good;
}
