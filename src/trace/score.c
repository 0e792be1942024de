/* A score as a record: its name, and as attributes what the wire's score calls
 * the same. */
#include <llmlab/score.h>

#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/status.h"
#include "trace/span.h"

#define ITEMS_MAX 6 /* name, value, label, source, version, comment */

static llmlab_status_t
check_text(const char *what, llmlab_text_t text, size_t most)
{
    if (text.size > most) {
        return llmlab__fail(LLMLAB_ETOOBIG, "%s: longer than %zu bytes", what,
                            most);
    }
    return LLMLAB_OK;
}

static llmlab_status_t
check_texts(const llmlab_score_t *score)
{
    const struct {
        const char *what;
        llmlab_text_t text;
        size_t most;
    } texts[] = {
        {"name", score->name, LLMLAB_SCORE_NAME_MAX},
        {"source", score->source, LLMLAB_SCORE_NAME_MAX},
        {"version", score->version, LLMLAB_SCORE_NAME_MAX},
        {"label", score->label, LLMLAB_SCORE_TEXT_MAX},
        {"comment", score->comment, LLMLAB_SCORE_TEXT_MAX},
    };
    llmlab_status_t status = LLMLAB_OK;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (status == LLMLAB_OK) {
            status = check_text(texts[i].what, texts[i].text, texts[i].most);
        }
    }
    return status;
}

static llmlab_status_t
check_value(const llmlab_score_t *score)
{
    switch (score->type) {
    case LLMLAB_SCORE_NUMERIC:
        if (score->value - score->value != 0) {
            return llmlab__fail(LLMLAB_EINVAL, "value: no finite number");
        }
        return LLMLAB_OK;
    case LLMLAB_SCORE_CATEGORICAL:
        if (score->label.size == 0) {
            return llmlab__fail(LLMLAB_EINVAL, "label: a category needs one");
        }
        return LLMLAB_OK;
    case LLMLAB_SCORE_BOOLEAN:
        return LLMLAB_OK;
    default:
        return llmlab__fail(LLMLAB_EINVAL, "type: there is no %d",
                            (int)score->type);
    }
}

/* The ids into the record; both halves of a trace's are not zero. */
static llmlab_status_t
take_ids(llmlab__record_t *record, const llmlab_score_t *score)
{
    if (score->trace_id.size != 32 ||
        llmlab__unhex64(score->trace_id.data, &record->trace_id[0]) != 0 ||
        llmlab__unhex64(score->trace_id.data + 16, &record->trace_id[1]) != 0 ||
        (record->trace_id[0] | record->trace_id[1]) == 0) {
        return llmlab__fail(LLMLAB_EINVAL, "trace_id: not 32 hex digits");
    }
    if (score->span_id.size != 0 &&
        (score->span_id.size != 16 ||
         llmlab__unhex64(score->span_id.data, &record->span_id) != 0 ||
         record->span_id == 0)) {
        return llmlab__fail(LLMLAB_EINVAL, "span_id: not 16 hex digits");
    }
    return LLMLAB_OK;
}

static llmlab_status_t
set_record(llmlab__record_t *record, const llmlab_score_t *score)
{
    llmlab_status_t status = check_texts(score);

    *record = llmlab__record_blank;
    record->type = LLMLAB__RECORD_SCORE;
    record->outcome = LLMLAB_SUCCESS;
    if (status == LLMLAB_OK) {
        status = take_ids(record, score);
    }
    if (status == LLMLAB_OK) {
        status = check_value(score);
    }
    if (status != LLMLAB_OK) {
        return status;
    }
    if (score->name.size == 0) {
        return llmlab__fail(LLMLAB_EINVAL, "name: is missing");
    }
    if (score->at_ns < 0) {
        return llmlab__fail(LLMLAB_EINVAL, "at_ns: before 1970");
    }
    if (score->at_ns != 0) {
        record->flags = LLMLAB__RECORD_REAL_TIME;
        record->start_ns = score->at_ns;
    } else {
        record->start_ns = llmlab__clock_mono_ns();
    }
    record->end_ns = record->start_ns;
    return LLMLAB_OK;
}

static unsigned char *
put(unsigned char *at, const char *key, llmlab_text_t text)
{
    return text.size == 0
               ? at
               : llmlab__item_write(at, LLMLAB__ITEM_ATTR_STRING, key,
                                    strlen(key), text.data, text.size);
}

/* Write the items; the room was made sure of. Returns where they end. */
static unsigned char *
write_items(unsigned char *at, const llmlab_score_t *score, bool with_comment)
{
    llmlab_text_t label = score->label;
    double value = score->value;

    if (score->type == LLMLAB_SCORE_BOOLEAN) {
        label = value != 0 ? LLMLAB_TEXT("true") : LLMLAB_TEXT("false");
        value = value != 0;
    }
    at = llmlab__item_write(at, LLMLAB__ITEM_NAME, NULL, 0, score->name.data,
                            score->name.size);
    if (score->type != LLMLAB_SCORE_CATEGORICAL) {
        at = llmlab__item_write(at, LLMLAB__ITEM_ATTR_DOUBLE, "value",
                                sizeof("value") - 1, &value, sizeof(value));
    }
    at = put(at, "label", label);
    at = put(at, "source", score->source);
    at = put(at, "version", score->version);
    return with_comment ? put(at, "comment", score->comment) : at;
}

/* At least what the record needs: 32 for each item's header, key, padding, and
 * a value of a few bytes. */
static uint32_t
measure(const llmlab_score_t *score)
{
    size_t texts = score->name.size + score->label.size + score->source.size +
                   score->version.size + score->comment.size;

    return ((uint32_t)(sizeof(llmlab__record_t) + texts) + 32 * ITEMS_MAX + 7) &
           ~UINT32_C(7);
}

static llmlab_status_t
record_score(llmlab__tracer_t *tracer, llmlab__recorder_t *recorder,
             const llmlab__record_t *head, const llmlab_score_t *score)
{
    uint32_t room = measure(score);
    unsigned char *start;
    unsigned char *end;
    llmlab__record_t *record;

    llmlab__count(&recorder->accepted, 1);
    if (room > atomic_load_explicit(&tracer->recorders, memory_order_relaxed)
                   ->block_bytes) {
        atomic_fetch_add_explicit(&tracer->dropped[LLMLAB_DROP_TOO_LARGE], 1,
                                  memory_order_release);
        return LLMLAB_EFULL;
    }
    record = llmlab__tracer_claim(tracer, recorder, room);
    if (record == NULL) {
        atomic_fetch_add_explicit(&tracer->dropped[LLMLAB_DROP_RING_FULL], 1,
                                  memory_order_release);
        return LLMLAB_EFULL;
    }
    *record = *head;
    start = (unsigned char *)record;
    end = write_items(start + sizeof(*record), score,
                      tracer->capture == LLMLAB__CAPTURE_FULL);
    memset(end, 0, 8); /* what the rounding adds */
    record->items = (uint32_t)(end - start) - (uint32_t)sizeof(*record);
    record->size = ((uint32_t)(end - start) + 7) & ~UINT32_C(7);
    llmlab__ring_commit(recorder->ring, record->size);
    return LLMLAB_OK;
}

llmlab_status_t
llmlab_record_score(llmlab_client_t *client, const llmlab_score_t *score)
{
    llmlab__tracer_t *tracer = llmlab__tracer_of(client);
    llmlab__recorder_t *recorder;
    llmlab__record_t head;
    llmlab_score_t whole;
    llmlab_status_t status;
    llmlab_drop_t why;

    if (client == NULL || score == NULL || score->struct_size == 0) {
        return llmlab__fail(LLMLAB_EINVAL, "no client, or no score");
    }
    if (!tracer->enabled) {
        return LLMLAB_EDISABLED;
    }
    if (score->struct_size < sizeof(whole)) {
        /* a program built earlier */
        memset(&whole, 0, sizeof(whole));
        memcpy(&whole, score, score->struct_size);
        score = &whole;
    }
    status = set_record(&head, score);
    if (status != LLMLAB_OK) {
        return status;
    }
    recorder = llmlab__recorder_enter(tracer, &why);
    if (recorder == NULL) {
        llmlab__tracer_dropped(tracer, why);
        return LLMLAB_EFULL;
    }
    status = record_score(tracer, recorder, &head, score);
    llmlab__recorder_leave(recorder);
    return status;
}
