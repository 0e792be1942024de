#include <stdio.h>
#include <string.h>

#include "base/json_scan.h"
#include "base/status.h"
#include "store/sqlite/apply.h"

/* Distinct tags and models shown of a trace. */
#define TRACE_TEXT_MAX 4096

llmlab_status_t
llmlab__trace_sum(llmlab__trace_row_t *row, const llmlab__sums_t *sums,
                  int sign)
{
    llmlab__sums_t cost = {{0}};
    const llmlab__sums_t *more = sums;
    llmlab__sums_t negative;

    if (sign < 0) {
        for (int i = 0; i < LLMLAB__SUMS; i++) {
            negative.of[i] = -sums->of[i];
        }
        more = &negative;
    }
    cost.of[LLMLAB__SUM_COST_NANO] = row->cost_nano;
    cost.of[LLMLAB__SUM_COST_REST] = row->cost_rest;
    if (!llmlab__sums_add(&cost, more) ||
        __builtin_add_overflow(row->input_tokens,
                               sign * llmlab__sums_input(sums),
                               &row->input_tokens) ||
        __builtin_add_overflow(row->output_tokens,
                               sign * llmlab__sums_output(sums),
                               &row->output_tokens)) {
        return llmlab__fail(LLMLAB_EOVERFLOW, "a sum would exceed 64 bits");
    }
    row->cost_nano = cost.of[LLMLAB__SUM_COST_NANO];
    row->cost_rest = cost.of[LLMLAB__SUM_COST_REST];
    row->calls += sign * sums->of[LLMLAB__SUM_CALLS];
    row->unpriced += sign * sums->of[LLMLAB__SUM_UNPRICED];
    return LLMLAB_OK;
}

static void
models_add(llmlab__buf_t *models, int64_t model)
{
    char text[24];
    int size = snprintf(text, sizeof(text), ",%lld,", (long long)model);

    if (model == 0 || models->size > TRACE_TEXT_MAX ||
        (models->size > 0 &&
         memmem(models->data, models->size, text, (size_t)size) != NULL)) {
        return;
    }
    /* The comma at the end is the next one's at its beginning. */
    llmlab__buf_append(models, models->size == 0 ? text : text + 1,
                       (size_t)size - (models->size == 0 ? 0 : 1));
}

/* Is this JSON string an element of the array? A quote within a string is
 * escaped, so that a match begins after a bracket or a comma. */
static bool
tags_have(const llmlab__buf_t *tags, const char *tag, size_t size)
{
    const char *at = (const char *)tags->data;
    const char *end = at + tags->size;

    while ((size_t)(end - at) > size) {
        const char *found = memmem(at + 1, (size_t)(end - at - 1), tag, size);

        if (found == NULL) {
            return false;
        }
        if (found[-1] == '[' || found[-1] == ',') {
            return true;
        }
        at = found;
    }
    return false;
}

static void
tags_merge(llmlab__buf_t *tags, llmlab__text_t more)
{
    llmlab__json_t json;
    llmlab__json_text_t tag;

    if (more.size <= 2 || (tags->size + 1 == more.size &&
                           memcmp(tags->data, more.data, tags->size) == 0)) {
        return;
    }
    llmlab__json_init(&json, more.data, more.size);
    if (!llmlab__json_enter_array(&json)) {
        return;
    }
    while (llmlab__json_next_element(&json) && llmlab__json_raw(&json, &tag)) {
        if (tags->size + tag.size > TRACE_TEXT_MAX) {
            return;
        }
        if (tags->size > 0 && tags_have(tags, tag.data, tag.size)) {
            continue;
        }
        llmlab__buf_append(tags, tags->size == 0 ? "[" : ",", 1);
        llmlab__buf_append(tags, tag.data, tag.size);
    }
}

static void
buf_set(llmlab__buf_t *buf, llmlab__text_t text)
{
    llmlab__buf_clear(buf);
    llmlab__buf_append(buf, text.data, text.size);
}

llmlab_status_t
llmlab__trace_merge(llmlab__apply_t *apply, llmlab__trace_t *trace,
                    const llmlab__row_t *row, const llmlab__labels_t *labels,
                    const llmlab__sums_t *sums)
{
    llmlab__trace_row_t *to = &trace->row;
    int64_t end_ns = row->start_ns + row->duration_ns;
    bool root = row->parent_id == 0 &&
                (to->root_id == 0 || row->start_ns < trace->root_ns);

    if (!llmlab__runs_add(&trace->runs, row->start_ns)) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for a trace");
    }
    if (to->steps == 0 || row->start_ns < to->start_ns) {
        to->start_ns = row->start_ns;
    }
    if (to->steps == 0 || row->start_ns > to->last_ns) {
        to->last_ns = row->start_ns;
    }
    if (to->steps == 0 || end_ns > to->end_ns) {
        to->end_ns = end_ns;
    }
    if (root) {
        to->root_id = row->span_id;
        trace->root_ns = row->start_ns;
        trace->root_status = row->outcome;
    }
    if (root || trace->name.size == 0) {
        buf_set(&trace->name, row->name);
    }
    if (labels->agent != 0 && (root || trace->agent == 0)) {
        trace->agent = labels->agent;
    }
    if (labels->user != 0 && (root || trace->user == 0)) {
        trace->user = labels->user;
    }
    if (trace->environment == 0) {
        trace->environment = apply->environment;
    }
    if (row->session.size > 0 && (root || trace->session.size == 0)) {
        buf_set(&trace->session, row->session);
    }
    models_add(&trace->models, labels->model);
    tags_merge(&trace->tags, row->tags);
    to->steps++;
    to->errors += row->outcome == LLMLAB_ERROR;
    return llmlab__trace_sum(to, sums, 1);
}
