#include "services/cost_cross.h"

#include <string.h>

#include "base/alloc.h"
#include "base/json_scan.h"
#include "base/status.h"
#include "services/cost_sum.h"
#include "store/hash.h"

#define TAG_BYTES 1024

typedef struct cross_s {
    llmlab__cost_sum_t sum;
    llmlab__store_t *store;
    llmlab__reader_t *reader;
    int64_t spans; /* met so far */

    /* The tags of the row before: the next one's are often alike. */
    char *tags_text;
    size_t tags_size;
    int64_t tags[LLMLAB__STEP_TAGS];
    size_t tag_count;

    uint32_t *session_slots; /* index + 1, by hash */
    size_t session_slot_count;
} cross_t;

static bool
no_memory(cross_t *cross)
{
    cross->sum.status = llmlab__fail(LLMLAB_ENOMEM, "no memory for costs");
    return false;
}

static void
tag_add(cross_t *cross, int64_t label)
{
    for (size_t i = 0; i < cross->tag_count; i++) {
        if (cross->tags[i] == label) {
            return;
        }
    }
    cross->tags[cross->tag_count++] = label;
}

/* A text that the day's cap turned into `other` has no label of its own. */
static int64_t
tag_label(cross_t *cross, const char *text)
{
    const llmlab__store_ops_t *ops = cross->store->ops;
    int64_t project = cross->sum.query->project;
    int64_t label =
        ops->label_find(cross->reader, project, LLMLAB__LABEL_TAG, text);

    return label != 0 ? label
                      : ops->label_find(cross->reader, project,
                                        LLMLAB__LABEL_TAG, LLMLAB__LABEL_OTHER);
}

static bool
tags_read(cross_t *cross, llmlab__text_t text)
{
    char bytes[TAG_BYTES];
    llmlab__json_text_t raw;
    llmlab__json_t json;

    if (cross->tag_count > 0 && cross->tags_size == text.size &&
        (text.size == 0 ||
         memcmp(cross->tags_text, text.data, text.size) == 0)) {
        return true;
    }
    llmlab__free(cross->tags_text);
    cross->tags_text =
        llmlab__strndup(text.size == 0 ? "" : text.data, text.size);
    cross->tags_size = text.size;
    cross->tag_count = 0;
    if (cross->tags_text == NULL) {
        return no_memory(cross);
    }
    llmlab__json_init(&json, cross->tags_text, text.size);
    if (text.size > 0 && llmlab__json_enter_array(&json)) {
        while (llmlab__json_next_element(&json) &&
               cross->tag_count < LLMLAB__STEP_TAGS &&
               llmlab__json_string(&json, &raw)) {
            if (raw.size > 0 &&
                llmlab__json_unescape(&raw, bytes, sizeof(bytes)) <
                    sizeof(bytes)) {
                tag_add(cross, tag_label(cross, bytes));
            }
        }
    }
    if (cross->tag_count == 0) {
        cross->tags[cross->tag_count++] = 0;
    }
    return true;
}

static uint64_t
session_hash(const char *text, size_t size)
{
    return llmlab__hash_bytes(llmlab__hash_seed, text, size);
}

static bool
sessions_grow(cross_t *cross)
{
    llmlab__cost_result_t *result = cross->sum.result;
    size_t slots =
        cross->session_slot_count == 0 ? 256 : cross->session_slot_count * 2;
    void *grown = llmlab__realloc(result->sessions, slots / 2 * sizeof(char *));

    if (grown == NULL) {
        return no_memory(cross);
    }
    result->sessions = grown;
    llmlab__free(cross->session_slots);
    cross->session_slot_count = slots;
    cross->session_slots = llmlab__calloc(slots, sizeof(uint32_t));
    if (cross->session_slots == NULL) {
        cross->session_slot_count = 0;
        return no_memory(cross);
    }
    for (size_t i = 0; i < result->session_count; i++) {
        const char *text = result->sessions[i];
        size_t at = session_hash(text, strlen(text)) & (slots - 1);

        while (cross->session_slots[at] != 0) {
            at = (at + 1) & (slots - 1);
        }
        cross->session_slots[at] = (uint32_t)i + 1;
    }
    return true;
}

static bool
session_number(cross_t *cross, llmlab__text_t text, int64_t *out)
{
    llmlab__cost_result_t *result = cross->sum.result;
    char *copy;
    size_t at;

    *out = 0;
    if (text.size == 0) {
        return true;
    }
    if (result->session_count * 2 >= cross->session_slot_count &&
        !sessions_grow(cross)) {
        return false;
    }
    at = session_hash(text.data, text.size) & (cross->session_slot_count - 1);
    while (cross->session_slots[at] != 0) {
        const char *known = result->sessions[cross->session_slots[at] - 1];

        if (strlen(known) == text.size &&
            memcmp(known, text.data, text.size) == 0) {
            *out = cross->session_slots[at];
            return true;
        }
        at = (at + 1) & (cross->session_slot_count - 1);
    }
    copy = llmlab__strndup(text.data, text.size);
    if (copy == NULL) {
        return no_memory(cross);
    }
    result->sessions[result->session_count++] = copy;
    cross->session_slots[at] = (uint32_t)result->session_count;
    *out = cross->session_slots[at];
    return true;
}

/* Is it one of those asked for? The tag is looked at apart. */
static bool
row_matches(const llmlab__cost_query_t *query,
            const llmlab__crossing_row_t *row)
{
    for (int i = 0; i <= LLMLAB__BY_USER; i++) {
        if ((query->only >> i & 1) && row->by[i] != query->value[i]) {
            return false;
        }
    }
    return !(query->only >> LLMLAB__BY_SESSION & 1) ||
           (row->session.size == strlen(query->session) &&
            memcmp(row->session.data, query->session, row->session.size) == 0);
}

static size_t
bucket_of(const llmlab__cost_sum_t *sum, int64_t seconds)
{
    size_t low = 0;
    size_t high = sum->buckets;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (sum->bounds[middle] <= seconds) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool
row_count(cross_t *cross, const llmlab__crossing_row_t *row,
          const int64_t by[LLMLAB__DIMENSIONS])
{
    llmlab__cost_sum_t *sum = &cross->sum;
    llmlab__latency_delta_t delta = {0};
    llmlab__buf_t packed;
    llmlab__text_t latency = {NULL, 0};
    uint32_t group;
    bool good = true;

    llmlab__buf_init(&packed);
    if (sum->query->latency && row->latency_ns >= 0) {
        good = llmlab__latency_delta_add(
                   &delta, llmlab__latency_bucket(row->latency_ns), 1) &&
               llmlab__latency_apply(latency, &delta, &packed);
        latency.data = (const char *)packed.data;
        latency.size = packed.size;
        if (!good) {
            (void)no_memory(cross);
        }
    }
    good = good && llmlab__cost_group(sum, by, &group) &&
           llmlab__cost_add(sum, bucket_of(sum, row->start_ns / 1000000000),
                            group, &row->sums, latency, 1);
    llmlab__buf_cleanup(&packed);
    llmlab__free(delta.of);
    return good;
}

static bool
total_add(cross_t *cross, const llmlab__crossing_row_t *row)
{
    llmlab__cost_result_t *result = cross->sum.result;

    if (cross->sum.query->latency && row->latency_ns >= 0 &&
        !llmlab__latency_count(&result->latency, row->latency_ns)) {
        return no_memory(cross);
    }
    if (!llmlab__sums_add(&result->total, &row->sums)) {
        cross->sum.status =
            llmlab__fail(LLMLAB_EOVERFLOW, "a sum exceeds 64 bits");
        return false;
    }
    return true;
}

static bool
on_row(void *payload, const llmlab__crossing_row_t *row)
{
    cross_t *cross = payload;
    const llmlab__cost_query_t *query = cross->sum.query;
    unsigned tag = 1u << LLMLAB__BY_TAG;
    int64_t by[LLMLAB__DIMENSIONS] = {0};
    bool found = false;

    cross->spans += row->sums.of[LLMLAB__SUM_SPANS];
    if (!row_matches(query, row)) {
        return true;
    }
    for (int i = 0; i <= LLMLAB__BY_USER; i++) {
        by[i] = query->group_by >> i & 1 ? row->by[i] : 0;
    }
    if ((query->group_by >> LLMLAB__BY_SESSION & 1) &&
        !session_number(cross, row->session, &by[LLMLAB__BY_SESSION])) {
        return false;
    }
    if (((query->group_by | query->only) & tag) == 0) {
        return row_count(cross, row, by) && total_add(cross, row);
    }
    if (!tags_read(cross, row->tags)) {
        return false;
    }
    for (size_t i = 0; i < cross->tag_count; i++) {
        if ((query->only & tag) &&
            cross->tags[i] != query->value[LLMLAB__BY_TAG]) {
            continue;
        }
        by[LLMLAB__BY_TAG] = query->group_by & tag ? cross->tags[i] : 0;
        if ((!found || (query->group_by & tag)) && !row_count(cross, row, by)) {
            return false;
        }
        found = true;
    }
    return !found || total_add(cross, row);
}

/* How many spans the range has, by the roll-ups. */
static llmlab_status_t
spans_count(cross_t *cross, int64_t *out)
{
    llmlab__cost_query_t whole = {.project = cross->sum.query->project,
                                  .range = cross->sum.query->range,
                                  .granularity = LLMLAB__TOTAL};
    llmlab__cost_result_t result;
    llmlab_status_t status =
        llmlab__cost_query(cross->store, cross->reader, &whole, &result);

    *out = result.total.of[LLMLAB__SUM_SPANS];
    llmlab__cost_result_cleanup(&result);
    return status;
}

static void
scan(cross_t *cross)
{
    const llmlab__time_range_t *range = cross->sum.query->range;
    llmlab__cost_result_t *result = cross->sum.result;
    llmlab_status_t status = spans_count(cross, &result->spans);

    if (status == LLMLAB_OK && result->spans > LLMLAB__COST_SPANS_MAX) {
        status = llmlab__fail(LLMLAB_EFULL, "too many spans");
    }
    if (status == LLMLAB_OK) {
        status = cross->store->ops->crossing(
            cross->reader, cross->sum.query->project, range->start * 1000000000,
            range->end * 1000000000, on_row, cross);
    }
    if (status == LLMLAB_OK && cross->sum.status == LLMLAB_OK &&
        cross->spans != result->spans) {
        status = llmlab__fail(LLMLAB_ENOTFOUND, "spans are expired");
    }
    if (cross->sum.status == LLMLAB_OK) {
        cross->sum.status = status;
    }
}

llmlab_status_t
llmlab__cost_cross(llmlab__store_t *store, llmlab__reader_t *reader,
                   const llmlab__cost_query_t *query,
                   llmlab__cost_result_t *out)
{
    cross_t cross = {.store = store, .reader = reader};
    int64_t spans;

    llmlab__cost_sum_init(&cross.sum, query, out);
    cross.sum.apart = true; /* on_row() sums it */
    if (llmlab__cost_bounds(&cross.sum)) {
        scan(&cross);
    }
    llmlab__cost_sum_cleanup(&cross.sum);
    llmlab__free(cross.tags_text);
    llmlab__free(cross.session_slots);
    if (cross.sum.status != LLMLAB_OK) {
        spans = out->spans;
        llmlab__cost_result_cleanup(out);
        out->spans = spans;
        return cross.sum.status;
    }
    llmlab__cost_finish(out, query->steps_too);
    return LLMLAB_OK;
}
