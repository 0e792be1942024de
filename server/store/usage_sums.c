#include "store/usage_sums.h"

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

const char *
llmlab__usage_scan(llmlab__json_t *json, llmlab_usage_t *out, const char **type)
{
    const char *bad = NULL;
    llmlab__json_text_t key;

    llmlab_usage_init(out);
    if (!llmlab__json_enter_object(json)) {
        *type = "type";
        return "usage";
    }
    while (llmlab__json_next_key(json, &key)) {
        llmlab_usage_field_t field =
            llmlab_usage_field_find(key.data, key.size);
        llmlab__json_text_t number;
        uint64_t count;
        int fault;

        if (field >= LLMLAB_USAGE_FIELDS || llmlab__json_null(json)) {
            if (field >= LLMLAB_USAGE_FIELDS) {
                llmlab__json_skip(json);
            }
            continue;
        }
        if (!llmlab__json_number(json, &number)) {
            bad = llmlab_usage_field_name(field);
            *type = "type";
            llmlab__json_skip(json);
            continue;
        }
        fault = field == LLMLAB_USAGE_AUDIO_SECONDS ||
                        field == LLMLAB_USAGE_OUTPUT_VIDEO_SECONDS
                    ? micros_read(&number, &count)
                    : llmlab__json_count(&number, &count);
        if (fault != 0) {
            bad = llmlab_usage_field_name(field);
            *type = fault == -1 ? "format" : "range";
            continue;
        }
        llmlab_usage_set(out, field, count);
    }
    return bad;
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
    (void)llmlab__usage_scan(&json, &usage, &type);
    llmlab__usage_sums(&usage, sums);
}
