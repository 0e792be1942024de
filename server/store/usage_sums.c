#include "store/usage_sums.h"

#include <string.h>

/* Seconds as microseconds: a number with at most six decimals. */
static int
micros_read(const llmlab__json_text_t *number, uint64_t *out)
{
    const uint64_t limit = (uint64_t)INT64_MAX / 10;
    uint64_t value = 0;
    int decimals = -1; /* -1: before the point */

    for (size_t i = 0; i < number->size; i++) {
        char c = number->data[i];

        if (c == '.' && decimals < 0) {
            decimals = 0;
            continue;
        }
        if (c < '0' || c > '9') {
            return -1;
        }
        if (decimals == 6) {
            if (c != '0') {
                return -1;
            }
            continue;
        }
        if (value > limit - 1) {
            return -3;
        }
        value = value * 10 + (uint64_t)(c - '0');
        decimals += decimals >= 0;
    }
    for (int i = decimals < 0 ? 0 : decimals; i < 6; i++) {
        if (value > limit - 1) {
            return -3;
        }
        value *= 10;
    }
    *out = value;
    return 0;
}

/* Where a usage object is read to, and what is wrong with it. */
typedef struct scan_s {
    llmlab__json_t *json;
    llmlab__usage_parts_t *parts; /* NULL: not wanted */
    const char *bad;
    const char *type;
} scan_t;

static void
scan_fault(scan_t *scan, const char *field, const char *type)
{
    scan->bad = field;
    scan->type = type;
}

static void
scan_count(scan_t *scan, llmlab_usage_field_t field, llmlab_usage_t *out)
{
    llmlab__json_text_t number;
    uint64_t count;
    int fault;

    if (llmlab__json_null(scan->json)) {
        return;
    }
    if (!llmlab__json_number(scan->json, &number)) {
        scan_fault(scan, llmlab_usage_field_name(field), "type");
        llmlab__json_skip(scan->json);
        return;
    }
    fault = field == LLMLAB_USAGE_AUDIO_SECONDS ||
                    field == LLMLAB_USAGE_OUTPUT_VIDEO_SECONDS
                ? micros_read(&number, &count)
                : llmlab__json_count(&number, &count);
    if (fault != 0) {
        scan_fault(scan, llmlab_usage_field_name(field),
                   fault == -1 ? "format" : "range");
        return;
    }
    llmlab_usage_set(out, field, count);
}

static void
scan_model(scan_t *scan, llmlab_usage_part_t *part)
{
    llmlab__json_text_t text;

    if (llmlab__json_null(scan->json)) {
        return;
    }
    if (!llmlab__json_string(scan->json, &text)) {
        scan_fault(scan, "parts", "type");
        llmlab__json_skip(scan->json);
        return;
    }
    /* Half a name is another name. */
    if (text.size >= sizeof(part->model)) {
        scan_fault(scan, "parts", "range");
        return;
    }
    llmlab__json_unescape(&text, part->model, sizeof(part->model));
}

static void
scan_part(scan_t *scan, llmlab_usage_part_t *part)
{
    llmlab__json_text_t key;

    memset(part, 0, sizeof(*part));
    if (!llmlab__json_enter_object(scan->json)) {
        scan_fault(scan, "parts", "type");
        llmlab__json_skip(scan->json);
        return;
    }
    while (llmlab__json_next_key(scan->json, &key)) {
        llmlab_usage_field_t field =
            llmlab_usage_field_find(key.data, key.size);

        if (field < LLMLAB_USAGE_FIELDS) {
            scan_count(scan, field, &part->usage);
        } else if (llmlab__json_key_is(&key, "model")) {
            scan_model(scan, part);
        } else {
            llmlab__json_skip(scan->json);
        }
    }
}

static void
scan_parts(scan_t *scan)
{
    llmlab__usage_parts_t *parts = scan->parts;

    if (llmlab__json_null(scan->json)) {
        return;
    }
    if (!llmlab__json_enter_array(scan->json)) {
        scan_fault(scan, "parts", "type");
        llmlab__json_skip(scan->json);
        return;
    }
    while (llmlab__json_next_element(scan->json)) {
        if (parts->count == LLMLAB_USAGE_PARTS) {
            scan_fault(scan, "parts", "range");
            llmlab__json_skip(scan->json);
            continue;
        }
        scan_part(scan, &parts->of[parts->count++]);
    }
}

const char *
llmlab__usage_scan(llmlab__json_t *json, llmlab_usage_t *out,
                   llmlab__usage_parts_t *parts, const char **type)
{
    scan_t scan = {json, parts, NULL, NULL};
    llmlab__json_text_t key;

    llmlab_usage_init(out);
    if (parts != NULL) {
        parts->count = 0;
    }
    if (!llmlab__json_enter_object(json)) {
        *type = "type";
        return "usage";
    }
    while (llmlab__json_next_key(json, &key)) {
        llmlab_usage_field_t field =
            llmlab_usage_field_find(key.data, key.size);

        if (field < LLMLAB_USAGE_FIELDS) {
            scan_count(&scan, field, out);
        } else if (parts != NULL && llmlab__json_key_is(&key, "parts")) {
            scan_parts(&scan);
        } else {
            llmlab__json_skip(json);
        }
    }
    *type = scan.type;
    return scan.bad;
}

static int64_t
count_of(const llmlab_usage_t *usage, llmlab_usage_field_t field)
{
    uint64_t count = 0;

    (void)llmlab_usage_get(usage, field, &count);
    return count > (uint64_t)INT64_MAX ? INT64_MAX : (int64_t)count;
}

static void
part_take(const llmlab_usage_t *usage, llmlab_usage_field_t field,
          int64_t *remaining, int64_t *sum)
{
    int64_t part = count_of(usage, field);

    part = part > *remaining ? *remaining : part;
    *remaining -= part;
    *sum = part;
}

void
llmlab__usage_sums(const llmlab_usage_t *usage, llmlab__sums_t *sums)
{
    int64_t *of = sums->of;
    int64_t remaining = count_of(usage, LLMLAB_USAGE_INPUT_TOKENS);
    int64_t write = 0;

    part_take(usage, LLMLAB_USAGE_CACHE_READ_TOKENS, &remaining,
              &of[LLMLAB__SUM_INPUT_CACHE_READ]);
    part_take(usage, LLMLAB_USAGE_CACHE_WRITE_1H_TOKENS, &remaining,
              &of[LLMLAB__SUM_INPUT_CACHE_WRITE_1H]);
    part_take(usage, LLMLAB_USAGE_CACHE_WRITE_5M_TOKENS, &remaining, &write);
    if (!llmlab_usage_get(usage, LLMLAB_USAGE_CACHE_WRITE_5M_TOKENS, NULL) &&
        !llmlab_usage_get(usage, LLMLAB_USAGE_CACHE_WRITE_1H_TOKENS, NULL)) {
        part_take(usage, LLMLAB_USAGE_CACHE_WRITE_TOKENS, &remaining, &write);
    }
    of[LLMLAB__SUM_INPUT_CACHE_WRITE] = write;
    part_take(usage, LLMLAB_USAGE_INPUT_AUDIO_TOKENS, &remaining,
              &of[LLMLAB__SUM_INPUT_AUDIO]);
    part_take(usage, LLMLAB_USAGE_INPUT_IMAGE_TOKENS, &remaining,
              &of[LLMLAB__SUM_INPUT_IMAGE]);
    part_take(usage, LLMLAB_USAGE_INPUT_VIDEO_TOKENS, &remaining,
              &of[LLMLAB__SUM_INPUT_VIDEO]);
    of[LLMLAB__SUM_INPUT_TEXT] = remaining;

    remaining = count_of(usage, LLMLAB_USAGE_OUTPUT_TOKENS);
    part_take(usage, LLMLAB_USAGE_REASONING_TOKENS, &remaining,
              &of[LLMLAB__SUM_OUTPUT_REASONING]);
    part_take(usage, LLMLAB_USAGE_OUTPUT_AUDIO_TOKENS, &remaining,
              &of[LLMLAB__SUM_OUTPUT_AUDIO]);
    part_take(usage, LLMLAB_USAGE_OUTPUT_IMAGE_TOKENS, &remaining,
              &of[LLMLAB__SUM_OUTPUT_IMAGE]);
    part_take(usage, LLMLAB_USAGE_OUTPUT_VIDEO_TOKENS, &remaining,
              &of[LLMLAB__SUM_OUTPUT_VIDEO]);
    of[LLMLAB__SUM_OUTPUT_TEXT] = remaining;
    of[LLMLAB__SUM_WEB_SEARCHES] =
        count_of(usage, LLMLAB_USAGE_WEB_SEARCH_REQUESTS);
}

void
llmlab__usage_text_sums(llmlab__text_t text, llmlab__sums_t *sums)
{
    llmlab_usage_t usage;
    llmlab__json_t json;
    const char *type;

    if (text.data == NULL) {
        return;
    }
    llmlab__json_init(&json, text.data, text.size);
    (void)llmlab__usage_scan(&json, &usage, NULL, &type);
    llmlab__usage_sums(&usage, sums);
}
