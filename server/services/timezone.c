#include "services/timezone.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/status.h"

#define ZONE_FOLDER "/usr/share/zoneinfo/"
#define FILE_MAX    (256 * 1024)
#define DAY_SECONDS INT64_C(86400)

static int64_t
big_endian(const unsigned char *at, int size)
{
    uint64_t value = (at[0] & 0x80) != 0 ? UINT64_MAX : 0;

    for (int i = 0; i < size; i++) {
        value = value << 8 | at[i];
    }
    return (int64_t)value;
}

/* "+05:45", "-03:00", "+0530". */
static bool
offset_parse(const char *text, int32_t *out)
{
    int sign = *text == '-' ? -1 : 1;
    int digits[4];
    int count = 0;

    if (*text != '+' && *text != '-') {
        return false;
    }
    for (text++; *text != '\0'; text++) {
        if (*text == ':' && count == 2) {
            continue;
        }
        if (*text < '0' || *text > '9' || count == 4) {
            return false;
        }
        digits[count++] = *text - '0';
    }
    if (count != 4 || digits[2] > 5) {
        return false;
    }
    *out = sign * ((digits[0] * 10 + digits[1]) * 3600 +
                   (digits[2] * 10 + digits[3]) * 60);
    return *out >= -64800 && *out <= 64800;
}

static bool
name_is_safe(const char *name)
{
    size_t size = strlen(name);

    if (size == 0 || size > 64 || name[0] == '/' || name[0] == '.' ||
        strstr(name, "..") != NULL) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        char c = name[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || strchr("/_+-", c) != NULL)) {
            return false;
        }
    }
    return true;
}

static llmlab_status_t
file_read(const char *name, llmlab__buf_t *out)
{
    char path[sizeof(ZONE_FOLDER) + 64];
    FILE *file;
    unsigned char *to;

    (void)snprintf(path, sizeof(path), ZONE_FOLDER "%s", name);
    file = fopen(path, "rbe");
    if (file == NULL) {
        return llmlab__fail(LLMLAB_ENOTFOUND, "no time zone is called %s",
                            name);
    }
    to = llmlab__buf_reserve(out, FILE_MAX);
    if (to != NULL) {
        out->size = fread(to, 1, FILE_MAX, file);
    }
    (void)fclose(file);
    return out->size > 44 && memcmp(out->data, "TZif", 4) == 0
               ? LLMLAB_OK
               : llmlab__fail(LLMLAB_ENOTFOUND, "no time zone is called %s",
                              name);
}

/* The six counts of a header: isutcnt, isstdcnt, leapcnt, timecnt, typecnt,
 * charcnt; and how long the block after it is. */
static size_t
header_read(const unsigned char *header, size_t counts[6], size_t time_size)
{
    for (int i = 0; i < 6; i++) {
        counts[i] = (size_t)big_endian(header + 20 + 4 * i, 4) & 0xffffff;
    }
    return counts[3] * (time_size + 1) + counts[4] * 6 + counts[5] +
           counts[2] * (time_size + 4) + counts[1] + counts[0];
}

/* POSIX TZ text, "CET-1CEST,M3.5.0,M10.5.0/3". */
static const char *
rule_name(const char *at)
{
    if (*at == '<') {
        const char *end = strchr(at, '>');

        return end == NULL ? NULL : end + 1;
    }
    while ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z')) {
        at++;
    }
    return at;
}

static const char *
rule_time(const char *at, int64_t *out)
{
    int sign = 1;
    int64_t parts[3] = {0, 0, 0};

    if (*at == '+' || *at == '-') {
        sign = *at == '-' ? -1 : 1;
        at++;
    }
    for (int i = 0; i < 3; i++) {
        char *end;

        if (*at < '0' || *at > '9') {
            return NULL;
        }
        parts[i] = strtol(at, &end, 10);
        at = end;
        if (*at != ':') {
            break;
        }
        at++;
    }
    *out = sign * (parts[0] * 3600 + parts[1] * 60 + parts[2]);
    return at;
}

static const char *
rule_date(const char *at, llmlab__zone_rule_t *rule)
{
    char *end;

    if (*at++ != ',') {
        return NULL;
    }
    rule->form = *at == 'M' ? 'M' : *at == 'J' ? 'J' : 'N';
    if (rule->form != 'N') {
        at++;
    }
    rule->time = 7200;
    if (rule->form == 'M') {
        rule->month = (int)strtol(at, &end, 10);
        if (*end++ != '.') {
            return NULL;
        }
        rule->week = (int)strtol(end, &end, 10);
        if (*end++ != '.') {
            return NULL;
        }
        rule->day = (int)strtol(end, &end, 10);
    } else {
        rule->day = (int)strtol(at, &end, 10);
    }
    if (rule->form == 'M' &&
        (rule->month < 1 || rule->month > 12 || rule->week < 1 ||
         rule->week > 5 || rule->day < 0 || rule->day > 6)) {
        return NULL;
    }
    return *end == '/' ? rule_time(end + 1, &rule->time) : end;
}

static bool
rule_parse(const char *text, llmlab__zone_t *zone)
{
    int64_t west;
    const char *at = rule_name(text);

    if (at == NULL || (at = rule_time(at, &west)) == NULL) {
        return false;
    }
    zone->standard = (int32_t)-west;
    zone->has_rule = true;
    if (*at == '\0') {
        return true;
    }
    at = rule_name(at);
    if (at == NULL) {
        return false;
    }
    zone->summer = zone->standard + 3600;
    if (*at != ',' && *at != '\0') {
        at = rule_time(at, &west);
        if (at == NULL) {
            return false;
        }
        zone->summer = (int32_t)-west;
    }
    at = rule_date(at, &zone->begin);
    if (at == NULL || rule_date(at, &zone->end) == NULL) {
        return false;
    }
    zone->has_summer = true;
    return true;
}

static void
zone_free(llmlab__zone_t *zone)
{
    llmlab__free(zone->at);
    llmlab__free(zone->offset);
    memset(zone, 0, sizeof(*zone));
}

static llmlab_status_t
zone_parse(llmlab__zone_t *zone, const llmlab__buf_t *file, const char *name)
{
    const unsigned char *at = file->data;
    const unsigned char *end = at + file->size;
    const unsigned char *types;
    const unsigned char *footer;
    size_t counts[6];
    char rule[128];
    size_t size;

    /* Version 2 repeats all with 64-bit times after the old block. */
    size = header_read(at, counts, 4);
    if (at[4] < '2' || size > file->size - 44 ||
        (size_t)(end - at) < 88 + size) {
        return llmlab__fail(LLMLAB_EPARSE, "the file of %s is damaged", name);
    }
    at += 44 + size;
    size = header_read(at, counts, 8);
    if (memcmp(at, "TZif", 4) != 0 || size > (size_t)(end - at) - 44 ||
        counts[4] == 0) {
        return llmlab__fail(LLMLAB_EPARSE, "the file of %s is damaged", name);
    }
    at += 44;
    types = at + counts[3] * 9;
    zone->at = llmlab__calloc(counts[3] + 1, sizeof(*zone->at));
    zone->offset = llmlab__calloc(counts[3] + 1, sizeof(*zone->offset));
    if (zone->at == NULL || zone->offset == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for a time zone");
    }
    zone->count = counts[3];
    zone->first = (int32_t)big_endian(types, 4);
    for (size_t i = 0; i < counts[3]; i++) {
        size_t type = at[counts[3] * 8 + i];

        zone->at[i] = big_endian(at + 8 * i, 8);
        zone->offset[i] = type < counts[4]
                              ? (int32_t)big_endian(types + 6 * type, 4)
                              : zone->first;
    }
    footer = at + size;
    if (footer < end && *footer == '\n') {
        const unsigned char *stop =
            memchr(footer + 1, '\n', (size_t)(end - footer - 1));

        size = stop == NULL ? 0 : (size_t)(stop - footer - 1);
        if (size > 0 && size < sizeof(rule)) {
            memcpy(rule, footer + 1, size);
            rule[size] = '\0';
            if (!rule_parse(rule, zone)) {
                zone->has_rule = false;
            }
        }
    }
    return LLMLAB_OK;
}

/* Zones that were read from files: they are asked for again and again, are
 * few, and stay. */
typedef struct known_s {
    struct known_s *next;
    char name[65];
    llmlab__zone_t zone;
} known_t;

static pthread_mutex_t known_lock = PTHREAD_MUTEX_INITIALIZER;
static known_t *known;

static bool
known_find(const char *name, llmlab__zone_t *out)
{
    const known_t *at;

    pthread_mutex_lock(&known_lock);
    at = known;
    while (at != NULL && strcmp(at->name, name) != 0) {
        at = at->next;
    }
    if (at != NULL) {
        *out = at->zone;
    }
    pthread_mutex_unlock(&known_lock);
    return at != NULL;
}

static llmlab_status_t
known_add(const char *name, llmlab__zone_t *zone)
{
    known_t *made = llmlab__calloc(1, sizeof(*made));
    llmlab__zone_t other;

    if (made == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for a time zone");
    }
    if (known_find(name, &other)) { /* by another thread meanwhile */
        llmlab__free(made);
        zone_free(zone);
        *zone = other;
        return LLMLAB_OK;
    }
    memcpy(made->name, name, strlen(name) + 1);
    made->zone = *zone;
    pthread_mutex_lock(&known_lock);
    made->next = known;
    known = made;
    pthread_mutex_unlock(&known_lock);
    return LLMLAB_OK;
}

llmlab_status_t
llmlab__zone_open(llmlab__zone_t *out, const char *name)
{
    llmlab__buf_t file;
    llmlab_status_t status;

    memset(out, 0, sizeof(*out));
    if (strcmp(name, "UTC") == 0 || offset_parse(name, &out->first)) {
        return LLMLAB_OK;
    }
    if (!name_is_safe(name)) {
        return llmlab__fail(LLMLAB_ENOTFOUND, "this is no time zone's name");
    }
    if (known_find(name, out)) {
        return LLMLAB_OK;
    }
    llmlab__buf_init(&file);
    status = file_read(name, &file);
    if (status == LLMLAB_OK) {
        status = zone_parse(out, &file, name);
    }
    llmlab__buf_cleanup(&file);
    if (status == LLMLAB_OK) {
        status = known_add(name, out);
    }
    if (status != LLMLAB_OK) {
        zone_free(out);
    }
    return status;
}

static bool
is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* The local time, as seconds since 1970, in which a rule takes effect. */
static int64_t
rule_local(const llmlab__zone_rule_t *rule, int64_t year)
{
    int64_t day;

    if (rule->form == 'M') {
        int64_t first = llmlab__days_from_civil(year, (unsigned)rule->month, 1);
        int64_t next =
            rule->month == 12
                ? llmlab__days_from_civil(year + 1, 1, 1)
                : llmlab__days_from_civil(year, (unsigned)rule->month + 1, 1);
        int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970: a Thursday */

        day = first + (rule->day - weekday + 7) % 7 + 7 * (rule->week - 1);
        while (day >= next) {
            day -= 7;
        }
    } else {
        day = llmlab__days_from_civil(year, 1, 1) + rule->day;
        if (rule->form == 'J') {
            day += is_leap(year) && rule->day >= 60 ? 0 : -1;
        }
    }
    return day * DAY_SECONDS + rule->time;
}

static int32_t
rule_offset(const llmlab__zone_t *zone, int64_t seconds)
{
    int64_t local = seconds + zone->standard;
    int64_t days = local / DAY_SECONDS - (local % DAY_SECONDS < 0);
    int64_t year;
    unsigned month;
    unsigned day;
    int64_t begin;
    int64_t end;
    bool summer;

    if (!zone->has_summer) {
        return zone->standard;
    }
    llmlab__civil_from_days(days, &year, &month, &day);
    begin = rule_local(&zone->begin, year) - zone->standard;
    end = rule_local(&zone->end, year) - zone->summer;
    summer = begin < end ? seconds >= begin && seconds < end
                         : seconds >= begin || seconds < end;
    return summer ? zone->summer : zone->standard;
}

int32_t
llmlab__zone_offset(const llmlab__zone_t *zone, int64_t unix_seconds)
{
    size_t low = 0;
    size_t high = zone->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (zone->at[middle] <= unix_seconds) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == zone->count && zone->has_rule) {
        return rule_offset(zone, unix_seconds);
    }
    return low == 0 ? zone->first : zone->offset[low - 1];
}

int64_t
llmlab__zone_day_start(const llmlab__zone_t *zone, int64_t day)
{
    int64_t local = day * DAY_SECONDS;
    int64_t before = local - llmlab__zone_offset(zone, local - DAY_SECONDS);
    int64_t after = local - llmlab__zone_offset(zone, local + DAY_SECONDS);
    int64_t early = before < after ? before : after;
    int64_t late = before < after ? after : before;

    /* Midnight may come twice (the first counts) or not at all (the day
     * begins with the leap over it). */
    if (early + llmlab__zone_offset(zone, early) == local) {
        return early;
    }
    if (late + llmlab__zone_offset(zone, late) == local) {
        return late;
    }
    return before;
}
