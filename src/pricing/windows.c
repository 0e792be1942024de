#include "pricing/windows.h"

#include "base/clock.h"

#define NS_PER_S   INT64_C(1000000000)
#define DAY_S      INT64_C(86400)
#define DAY_MIN    1440
#define DATE_SIZE  10
#define ZONE_LIMIT (14 * 60)

typedef struct zone_s {
    const char *name;
    int16_t minutes;
} zone_t;

static const zone_t zones[] = {
    {"UTC", 0},
    {"Etc/UTC", 0},
    {"GMT", 0},
    {"Asia/Shanghai", 480},
    {"Asia/Hong_Kong", 480},
    {"Asia/Taipei", 480},
    {"Asia/Singapore", 480},
    {"Australia/Perth", 480},
    {"Asia/Tokyo", 540},
    {"Asia/Seoul", 540},
    {"Asia/Kolkata", 330},
    {"Asia/Dubai", 240},
    {"Asia/Bangkok", 420},
    {"Asia/Jakarta", 420},
    {"Asia/Ho_Chi_Minh", 420},
    {"Europe/Moscow", 180},
    {"Europe/Istanbul", 180},
    {"Africa/Nairobi", 180},
    {"Asia/Riyadh", 180},
    {"Africa/Johannesburg", 120},
    {"Africa/Lagos", 60},
    {"America/Sao_Paulo", -180},
    {"America/Argentina/Buenos_Aires", -180},
    {"America/Bogota", -300},
    {"America/Phoenix", -420},
    {"Pacific/Honolulu", -600},
    {"Australia/Brisbane", 600},
};

/* Round to minus infinity: instants before 1970 have weekdays too. */
static int64_t
floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

bool
llmlab__window_holds(const llmlab__window_t *window, int64_t time_s)
{
    const int64_t first_weekday = 3; /* 1970-01-01 was a Thursday */
    int64_t minute = floor_div(time_s, 60);
    int64_t of_day = minute - floor_div(minute, DAY_MIN) * DAY_MIN;
    int64_t day = floor_div(minute + window->zone, DAY_MIN) + first_weekday;
    int64_t weekday = day - floor_div(day, 7) * 7;

    if ((window->days >> weekday & 1) == 0) {
        return false;
    }
    if (window->start == window->end) {
        return true;
    }
    if (window->start < window->end) {
        return of_day >= window->start && of_day < window->end;
    }
    return of_day >= window->start || of_day < window->end;
}

/* Exactly count digits; -1 where they are none. */
static int
digits(const char *text, int count)
{
    int value = 0;
    int i;

    for (i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

/* "16:30" into minutes; 24:00 is the day's end. -1 where it is none. */
static int
clock_minutes(const char *text)
{
    int hours = digits(text, 2);
    int minutes = hours >= 0 && text[2] == ':' ? digits(text + 3, 2) : -1;
    int total = hours * 60 + minutes;

    return minutes < 0 || minutes > 59 || total > DAY_MIN ? -1 : total;
}

bool
llmlab__window_hours(const char *text, llmlab__window_t *window)
{
    int start = clock_minutes(text);
    int end = start >= 0 && text[5] == '-' ? clock_minutes(text + 6) : -1;

    if (end < 0 || text[11] != '\0') {
        return false;
    }
    window->start = (uint16_t)(start % DAY_MIN);
    window->end = (uint16_t)(end % DAY_MIN);
    return true;
}

unsigned
llmlab__window_day(const char *text)
{
    static const char *const days[] = {"mon", "tue", "wed", "thu",
                                       "fri", "sat", "sun"};
    unsigned i;

    for (i = 0; i < 7; i++) {
        if (strcmp(days[i], text) == 0) {
            return 1u << i;
        }
    }
    return 0;
}

bool
llmlab__window_zone(const char *text, int16_t *out_minutes)
{
    size_t i;

    for (i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        if (strcmp(zones[i].name, text) == 0) {
            *out_minutes = zones[i].minutes;
            return true;
        }
    }
    if (text[0] == '+' || text[0] == '-') {
        int minutes = clock_minutes(text + 1);

        if (minutes < 0 || minutes > ZONE_LIMIT || text[6] != '\0') {
            return false;
        }
        *out_minutes = (int16_t)(text[0] == '-' ? -minutes : minutes);
        return true;
    }
    return false;
}

bool
llmlab__instant_parse(const char *text, int64_t *out_s)
{
    int64_t ns;

    if (llmlab__time_parse(text, strlen(text), &ns) != 0) {
        return false;
    }
    *out_s = floor_div(ns, NS_PER_S);
    return true;
}

bool
llmlab__date_parse(const char *text, uint16_t *out_day)
{
    int64_t time_s;

    if (strlen(text) != DATE_SIZE || !llmlab__instant_parse(text, &time_s) ||
        time_s < 0 || time_s / DAY_S > UINT16_MAX) {
        return false;
    }
    *out_day = (uint16_t)(time_s / DAY_S);
    return true;
}

void
llmlab__date_format(uint16_t day, char *out)
{
    char text[LLMLAB__TIME_TEXT];

    llmlab__time_format((int64_t)day * DAY_S * NS_PER_S, text);
    memcpy(out, text, DATE_SIZE);
    out[DATE_SIZE] = '\0';
}
