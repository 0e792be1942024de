#include "pricing/names.h"

/* Y, M, D: a digit of the year, month, day; N: any digit; all else stands for
 * itself. The longest comes first. */
static const char *const patterns[] = {
    ":YYYYMMDD-vN", "-YYYY-MM-DD", "@YYYY-MM-DD", "-YYYYMMDD",
    "@YYYYMMDD",    "-MM-YYYY",    "-MM-DD",
};

/* Read the name's end by a pattern of the same size; false where it differs or
 * is no date. */
static bool
matches(const char *end, const char *pattern, size_t size)
{
    int year = 2000;
    int month = 1;
    int day = 1;
    bool seen_year = false;
    bool seen_month = false;
    bool seen_day = false;
    size_t i;

    for (i = 0; i < size; i++) {
        int digit = end[i] - '0';
        bool is_digit = digit >= 0 && digit <= 9;

        switch (pattern[i]) {
        case 'Y':
            year = seen_year ? year * 10 + digit : digit;
            seen_year = true;
            break;
        case 'M':
            month = seen_month ? month * 10 + digit : digit;
            seen_month = true;
            break;
        case 'D':
            day = seen_day ? day * 10 + digit : digit;
            seen_day = true;
            break;
        case 'N':
            break;
        default:
            is_digit = end[i] == pattern[i];
            break;
        }
        if (!is_digit) {
            return false;
        }
    }
    return year >= 2000 && year <= 2199 && month >= 1 && month <= 12 &&
           day >= 1 && day <= 31;
}

/* "-0613" or "-2411": four digits that are a month and a day, or a year of
 * this century and a month. */
static bool
matches_short(const char *end)
{
    int high = (end[1] - '0') * 10 + (end[2] - '0');
    int low = (end[3] - '0') * 10 + (end[4] - '0');
    size_t i;

    for (i = 1; i < 5; i++) {
        if (end[i] < '0' || end[i] > '9') {
            return false;
        }
    }
    return end[0] == '-' &&
           ((high >= 1 && high <= 12 && low >= 1 && low <= 31) ||
            (high >= 20 && high <= 40 && low >= 1 && low <= 12));
}

static size_t
pattern_size(const char *pattern)
{
    size_t size = 0;

    while (pattern[size] != '\0') {
        size++;
    }
    return size;
}

size_t
llmlab__name_date(const char *name, size_t size, bool numbered)
{
    size_t i;

    for (i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        size_t date = pattern_size(patterns[i]);

        if (size > date && matches(name + size - date, patterns[i], date)) {
            return date;
        }
    }
    if (size > 5 && matches_short(name + size - 5)) {
        return 5;
    }
    if (numbered && size > 4 && matches(name + size - 4, "-NNN", 4)) {
        return 4;
    }
    return 0;
}
