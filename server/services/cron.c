#include "services/cron.h"

#include <string.h>

#include "base/clock.h"

/* Leap years make a 29th of February on a given weekday come back within 28
 * years, 40 over the end of some centuries. */
#define SEARCH_DAYS (41 * 366)

static bool
number_read(const char **at, unsigned *out)
{
    unsigned value = 0;
    int digits = 0;

    while (**at >= '0' && **at <= '9' && digits < 3) {
        value = value * 10 + (unsigned)(*(*at)++ - '0');
        digits++;
    }
    *out = value;
    return digits > 0;
}

/* One part of a list: what, and every how many. */
static bool
part_read(const char **at, unsigned least, unsigned most, uint64_t *bits)
{
    unsigned first = least;
    unsigned last = most;
    unsigned step = 1;

    if (**at == '*') {
        (*at)++;
    } else {
        if (!number_read(at, &first)) {
            return false;
        }
        last = first;
        if (**at == '-') {
            (*at)++;
            if (!number_read(at, &last)) {
                return false;
            }
        } else if (**at == '/') {
            last = most;
        }
    }
    if (**at == '/') {
        (*at)++;
        if (!number_read(at, &step) || step == 0) {
            return false;
        }
    }
    if (first < least || last > most || first > last) {
        return false;
    }
    for (unsigned i = first; i <= last; i += step) {
        *bits |= UINT64_C(1) << i;
    }
    return true;
}

static bool
field_read(const char **at, unsigned least, unsigned most, uint64_t *bits)
{
    *bits = 0;
    while (**at == ' ') {
        (*at)++;
    }
    for (;;) {
        if (!part_read(at, least, most, bits)) {
            return false;
        }
        if (**at != ',') {
            return **at == ' ' || **at == '\0';
        }
        (*at)++;
    }
}

static const char *
alias(const char *text)
{
    static const char *const names[][2] = {{"@hourly", "0 * * * *"},
                                           {"@daily", "0 0 * * *"},
                                           {"@weekly", "0 0 * * 0"},
                                           {"@monthly", "0 0 1 * *"}};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i][0]) == 0) {
            return names[i][1];
        }
    }
    return text;
}

bool
llmlab__cron_parse(llmlab__cron_t *out, const char *text)
{
    const char *at = alias(text);
    uint64_t hours;
    uint64_t days;
    uint64_t months;
    uint64_t weekdays;

    memset(out, 0, sizeof(*out));
    if (!field_read(&at, 0, 59, &out->minutes) ||
        !field_read(&at, 0, 23, &hours)) {
        return false;
    }
    while (*at == ' ') {
        at++;
    }
    out->any_day = *at == '*';
    if (!field_read(&at, 1, 31, &days) || !field_read(&at, 1, 12, &months)) {
        return false;
    }
    while (*at == ' ') {
        at++;
    }
    out->any_weekday = *at == '*';
    if (!field_read(&at, 0, 7, &weekdays)) {
        return false;
    }
    while (*at == ' ') {
        at++;
    }
    out->hours = (uint32_t)hours;
    out->days = (uint32_t)days;
    out->months = (uint32_t)months;
    out->weekdays = (uint32_t)(weekdays | weekdays >> 7) & 0x7f;
    return *at == '\0';
}

static bool
day_fits(const llmlab__cron_t *cron, int64_t day)
{
    int64_t year;
    unsigned month;
    unsigned number;
    bool fits_day;
    bool fits_weekday;

    llmlab__civil_from_days(day, &year, &month, &number);
    if (!(cron->months >> month & 1)) {
        return false;
    }
    fits_day = cron->days >> number & 1;
    /* 1970-01-01 was a Thursday. */
    fits_weekday = cron->weekdays >> ((day % 7 + 11) % 7) & 1;
    return cron->any_day || cron->any_weekday ? fits_day && fits_weekday
                                              : fits_day || fits_weekday;
}

int64_t
llmlab__cron_next(const llmlab__cron_t *cron, int64_t after)
{
    int64_t minute = after / 60 - (after % 60 < 0) + 1;
    int64_t day = minute / 1440 - (minute % 1440 < 0);
    int64_t of_day = minute - day * 1440;
    int64_t end = day + SEARCH_DAYS;

    for (; day < end; day++, of_day = 0) {
        if (!day_fits(cron, day)) {
            continue;
        }
        for (; of_day < 1440; of_day++) {
            if (cron->hours >> (of_day / 60) & 1 &&
                cron->minutes >> (of_day % 60) & 1) {
                return (day * 1440 + of_day) * 60;
            }
        }
    }
    return INT64_MAX;
}
