#include <string.h>

#include "base/json_scan.h"
#include "base/status.h"
#include "store/sqlite/apply.h"
#include "store/usage_sums.h"

/* A tag longer than a text may be is none of ours. */
#define TAG_BYTES 1024

static bool
tags_have(const llmlab__tags_t *tags, int64_t label)
{
    for (size_t i = 0; i < tags->count; i++) {
        if (tags->of[i] == label) {
            return true;
        }
    }
    return false;
}

llmlab_status_t
llmlab__tags_read(llmlab__connection_t *connection,
                  llmlab__label_cache_t *labels, int64_t project, int64_t day,
                  llmlab__text_t text, llmlab__tags_t *tags)
{
    char bytes[TAG_BYTES];
    llmlab__json_t json;
    llmlab__json_text_t raw;
    int64_t label;

    if (tags->count > 0 && tags->text.size == text.size &&
        (text.size == 0 ||
         memcmp(tags->text.data, text.data, text.size) == 0)) {
        return LLMLAB_OK;
    }
    tags->text = text;
    tags->count = 0;
    llmlab__json_init(&json, text.data == NULL ? "" : text.data, text.size);
    if (text.size > 0 && llmlab__json_enter_array(&json)) {
        while (llmlab__json_next_element(&json) &&
               tags->count < LLMLAB__STEP_TAGS) {
            llmlab__text_t tag = {bytes, 0};
            llmlab_status_t status;

            if (!llmlab__json_string(&json, &raw)) {
                break;
            }
            tag.size = llmlab__json_unescape(&raw, bytes, sizeof(bytes));
            if (tag.size >= sizeof(bytes)) {
                continue;
            }
            status = llmlab__label_intern(connection, labels, project,
                                          LLMLAB__LABEL_TAG, tag, day, &label);
            if (status != LLMLAB_OK) {
                tags->count = 0;
                return status;
            }
            if (label != 0 && !tags_have(tags, label)) {
                tags->of[tags->count++] = label;
            }
        }
    }
    if (tags->count == 0) {
        tags->of[tags->count++] = 0;
    }
    return LLMLAB_OK;
}

void
llmlab__span_contribution(sqlite3_stmt *sql, int column, int status,
                          llmlab__contribution_t *out)
{
    int64_t *of = out->sums.of;
    int priced = sqlite3_column_int(sql, column + 1);
    int source = sqlite3_column_int(sql, column + 2);

    memset(out, 0, sizeof(*out));
    out->latency_ns = -1;
    of[LLMLAB__SUM_SPANS] = 1;
    of[LLMLAB__SUM_DURATION_NS] = sqlite3_column_int64(sql, column + 3);
    if (sqlite3_column_int(sql, column) == 0) {
        return;
    }
    llmlab__usage_text_sums(llmlab__column_text(sql, column + 8), &out->sums);
    of[LLMLAB__SUM_CALLS] = 1;
    of[LLMLAB__SUM_COST_NANO] = sqlite3_column_int64(sql, column + 4);
    of[LLMLAB__SUM_COST_REST] = sqlite3_column_int64(sql, column + 5);
    of[LLMLAB__SUM_CLIENT_NANO] = sqlite3_column_int64(sql, column + 6);
    of[LLMLAB__SUM_CLIENT_REST] = sqlite3_column_int64(sql, column + 7);
    /* The rule of pricing_step.c. */
    of[LLMLAB__SUM_UNPRICED] =
        priced == LLMLAB_UNPRICED &&
        (source != LLMLAB_USAGE_NONE || status == LLMLAB_SUCCESS);
    of[LLMLAB__SUM_ESTIMATED] = priced == LLMLAB_ESTIMATED_RATE;
    out->latency_ns = of[LLMLAB__SUM_DURATION_NS];
}

llmlab_status_t
llmlab__contribute(llmlab__rollup_cache_t *rollups,
                   const llmlab__place_t *place,
                   const llmlab__contribution_t *what, int sign)
{
    llmlab__rollup_key_t key;
    llmlab_status_t status;

    memset(&key, 0, sizeof(key));
    key.project = place->project;
    key.view = LLMLAB__VIEW_ALL;
    key.level = LLMLAB__LEVEL_QUARTER;
    key.start = place->start_ns / LLMLAB__QUARTER_NS;
    memcpy(key.by, place->by, LLMLAB__CUBE * sizeof(key.by[0]));
    status = llmlab__rollup_add(rollups, &key, what, sign);
    memset(key.by, 0, sizeof(key.by));
    if (status == LLMLAB_OK) {
        key.view = LLMLAB__VIEW_USER;
        key.by[LLMLAB__BY_USER] = place->by[LLMLAB__BY_USER];
        status = llmlab__rollup_add(rollups, &key, what, sign);
        key.by[LLMLAB__BY_USER] = 0;
    }
    key.view = LLMLAB__VIEW_TAG;
    for (size_t i = 0; i < place->tags->count && status == LLMLAB_OK; i++) {
        key.by[LLMLAB__BY_TAG] = place->tags->of[i];
        status = llmlab__rollup_add(rollups, &key, what, sign);
    }
    return status;
}
