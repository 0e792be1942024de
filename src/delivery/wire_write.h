/* The wire's own values: times, decimals, ids, usage, money. */
#ifndef LLMLAB_DELIVERY_WIRE_WRITE_H
#define LLMLAB_DELIVERY_WIRE_WRITE_H

#include <stdint.h>
#include <string.h>

#include <llmlab/pricing.h>
#include <llmlab/usage.h>

#include "base/json_write.h"
#include "delivery/span_view.h"

/* A JSON writer that remembers the second it wrote last: calls of one batch
 * share most of their time's text. */
typedef struct llmlab__wire_s {
    llmlab__json_out_t json;
    int64_t second;       /* Unix time of the text below */
    char second_text[24]; /* "2026-08-21T07:09:40." */
} llmlab__wire_t;

void llmlab__wire_init(llmlab__wire_t *wire, llmlab__buf_t *buf);

void llmlab__wire_time(llmlab__wire_t *wire, int64_t unix_ns);
/* value / 10^6 as an exact decimal: nanoseconds as milliseconds, microseconds
 * as seconds. Negative is 0. */
void llmlab__wire_millionths(llmlab__wire_t *wire, int64_t value);
void llmlab__wire_id64(llmlab__wire_t *wire, uint64_t id);
void llmlab__wire_trace_id(llmlab__wire_t *wire, const uint64_t id[2]);
void llmlab__wire_hex(llmlab__wire_t *wire, const void *bytes, size_t size);
void llmlab__wire_money(llmlab__wire_t *wire, llmlab_money_t amount);
/* parts: a PARTS item's value; size 0: none. */
void llmlab__wire_usage(llmlab__wire_t *wire, const llmlab_usage_t *usage,
                        llmlab__view_text_t parts);

/* The same values as json_write.h's, for the many short ones of a step: what
 * fits into the room that is there is copied in place. */
static inline void
llmlab__wire_raw(llmlab__json_out_t *json, const char *text, size_t size)
{
    llmlab__buf_t *buf = json->buf;
    unsigned char *at;

    if (buf->failed || buf->capacity - buf->size <= size) {
        llmlab__json_put_raw(json, text, size);
        return;
    }
    at = buf->data + buf->size;
    if (json->comma) {
        *at++ = ',';
    }
    memcpy(at, text, size);
    buf->size = (size_t)(at - buf->data) + size;
    json->comma = true;
}

#define llmlab__wire_key(json, literal)                                    \
    do {                                                                   \
        llmlab__wire_raw((json), "\"" literal "\":", sizeof(literal) + 2); \
        (json)->comma = false;                                             \
    } while (0)

void llmlab__wire_string(llmlab__json_out_t *json, const char *text,
                         size_t size);

static inline void
llmlab__wire_name(llmlab__json_out_t *json, const char *name)
{
    llmlab__wire_string(json, name, strlen(name));
}

/* A member whose value is an item's text; nothing when the item is absent. */
#define llmlab__wire_item(wire, literal, view, type)                    \
    do {                                                                \
        if (llmlab__view_has((view), (type))) {                         \
            llmlab__wire_key(&(wire)->json, literal);                   \
            llmlab__wire_string(&(wire)->json, (view)->item[type].data, \
                                (view)->item[type].size);               \
        }                                                               \
    } while (0)

/* "tags":[...], when the view has any. */
void llmlab__wire_tags(llmlab__wire_t *wire, const llmlab__span_view_t *view);
/* "cost_detail":{...} of a call. */
void llmlab__wire_cost_detail(llmlab__wire_t *wire,
                              const llmlab__span_view_t *view);

/* An attribute as a member of the object that is open; nothing for another
 * item, nor for a number that JSON has not. */
void llmlab__wire_attribute(llmlab__json_out_t *json,
                            const llmlab__item_view_t *item);

/* One score, as an element of the array that is open. */
void llmlab__wire_score(llmlab__wire_t *wire, const llmlab__record_t *record,
                        uint64_t number);

/* One step, as an element of the array that is open. input and output are the
 * pieces that came before the record, or empty. */
void llmlab__wire_step(llmlab__wire_t *wire, const llmlab__span_view_t *view,
                       const llmlab__buf_t *input, const llmlab__buf_t *output);

#endif
