#include "base/clock.h"

#include <string.h>

#define NS_PER_S  INT64_C(1000000000)
#define S_PER_DAY INT64_C(86400)

int64_t
llmlab__clock_offset_ns(void)
{
    int64_t best_span = INT64_MAX;
    int64_t offset = 0;

    /* The tightest of a few triples: a preemption between the reads makes
     * its triple wide. */
    for (int i = 0; i < 3; i++) {
        int64_t before = llmlab__clock_mono_ns();
        int64_t real = llmlab__clock_real_ns();
        int64_t span = llmlab__clock_mono_ns() - before;

        if (span < best_span) {
            best_span = span;
            offset = real - (before + span / 2);
        }
    }
    return offset;
}

/* Both conversions count years from March, so that the leap day is a year's
 * last, in eras of 400 years, which all have 146,097 days. */
int64_t
llmlab__days_from_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t month_from_march = month > 2 ? month - 3 : month + 9;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

void
llmlab__civil_from_days(int64_t days, int64_t *year, unsigned *month,
                        unsigned *day)
{
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
                           day_of_era / 146096) /
                          365;
    int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;

    *day = (unsigned)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    *month = (unsigned)(month_from_march < 10 ? month_from_march + 3
                                              : month_from_march - 9);
    *year = year_of_era + era * 400 + (*month <= 2 ? 1 : 0);
}

/* Writes digits of value, right-aligned with zeroes. */
static char *
put_digits(char *at, int64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + digits;
}

size_t
llmlab__time_format(int64_t unix_ns, char out[LLMLAB__TIME_TEXT])
{
    int64_t seconds = unix_ns / NS_PER_S;
    int64_t rest = unix_ns % NS_PER_S;
    int64_t days;
    int64_t of_day;
    int64_t year;
    unsigned month;
    unsigned day;
    char *at = out;

    if (rest < 0) {
        rest += NS_PER_S;
        seconds--;
    }
    days = seconds / S_PER_DAY;
    of_day = seconds % S_PER_DAY;
    if (of_day < 0) {
        of_day += S_PER_DAY;
        days--;
    }
    llmlab__civil_from_days(days, &year, &month, &day);
    at = put_digits(at, year, 4);
    *at++ = '-';
    at = put_digits(at, month, 2);
    *at++ = '-';
    at = put_digits(at, day, 2);
    *at++ = 'T';
    at = put_digits(at, of_day / 3600, 2);
    *at++ = ':';
    at = put_digits(at, of_day / 60 % 60, 2);
    *at++ = ':';
    at = put_digits(at, of_day % 60, 2);
    *at++ = '.';
    at = put_digits(at, rest, 9);
    *at++ = 'Z';
    *at = '\0';
    return (size_t)(at - out);
}

/* Takes exactly count digits from *text. 0, or -1. */
static int
take_digits(const char **text, const char *end, int count, int64_t *out)
{
    const char *at = *text;

    if (end - at < count) {
        return -1;
    }
    *out = 0;
    for (int i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9') {
            return -1;
        }
        *out = *out * 10 + (at[i] - '0');
    }
    *text = at + count;
    return 0;
}

static int
take_char(const char **text, const char *end, char expected)
{
    if (*text == end || **text != expected) {
        return -1;
    }
    (*text)++;
    return 0;
}

/* ".123": further digits than nine are read and dropped. */
static int
take_fraction(const char **text, const char *end, int64_t *out_ns)
{
    const char *at = *text;
    int64_t unit = NS_PER_S / 10;

    *out_ns = 0;
    if (at == end || *at != '.') {
        return 0;
    }
    at++;
    if (at == end || *at < '0' || *at > '9') {
        return -1;
    }
    while (at < end && *at >= '0' && *at <= '9') {
        *out_ns += (*at - '0') * unit;
        unit /= 10;
        at++;
    }
    *text = at;
    return 0;
}

/* "Z", "+01:00" or "-05:30", as seconds to subtract. */
static int
take_zone(const char **text, const char *end, int64_t *out_s)
{
    int64_t hours;
    int64_t minutes;
    char sign;

    *out_s = 0;
    if (*text == end) {
        return -1;
    }
    sign = *(*text)++;
    if (sign == 'Z' || sign == 'z') {
        return 0;
    }
    if ((sign != '+' && sign != '-') ||
        take_digits(text, end, 2, &hours) != 0 ||
        take_char(text, end, ':') != 0 ||
        take_digits(text, end, 2, &minutes) != 0 || hours > 23 ||
        minutes > 59) {
        return -1;
    }
    *out_s = (hours * 60 + minutes) * 60 * (sign == '+' ? 1 : -1);
    return 0;
}

static int
take_date(const char **text, const char *end, int64_t *out_days)
{
    static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30,
                                            31, 31, 30, 31, 30, 31};
    int64_t year;
    int64_t month;
    int64_t day;
    int64_t length;

    if (take_digits(text, end, 4, &year) != 0 ||
        take_char(text, end, '-') != 0 ||
        take_digits(text, end, 2, &month) != 0 ||
        take_char(text, end, '-') != 0 ||
        take_digits(text, end, 2, &day) != 0 || month < 1 || month > 12) {
        return -1;
    }
    length = lengths[month - 1];
    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) {
        length = 29;
    }
    if (day < 1 || day > length) {
        return -1;
    }
    *out_days = llmlab__days_from_civil(year, (unsigned)month, (unsigned)day);
    return 0;
}

int
llmlab__time_parse(const char *text, size_t size, int64_t *out_ns)
{
    const char *end = text + size;
    int64_t days;
    int64_t hour = 0;
    int64_t minute = 0;
    int64_t second = 0;
    int64_t fraction = 0;
    int64_t zone = 0;

    if (take_date(&text, end, &days) != 0) {
        return -1;
    }
    if (text < end) {
        if (*text != 'T' && *text != 't' && *text != ' ') {
            return -1;
        }
        text++;
        if (take_digits(&text, end, 2, &hour) != 0 ||
            take_char(&text, end, ':') != 0 ||
            take_digits(&text, end, 2, &minute) != 0 ||
            take_char(&text, end, ':') != 0 ||
            take_digits(&text, end, 2, &second) != 0 ||
            take_fraction(&text, end, &fraction) != 0 ||
            take_zone(&text, end, &zone) != 0 || text != end) {
            return -1;
        }
    }
    /* A leap second is taken as the second that follows it. */
    if (hour > 23 || minute > 59 || second > 60) {
        return -1;
    }
    second += days * S_PER_DAY + hour * 3600 + minute * 60 - zone;
    if (__builtin_mul_overflow(second, NS_PER_S, &second) ||
        __builtin_add_overflow(second, fraction, &second)) {
        return -1;
    }
    *out_ns = second;
    return 0;
}
