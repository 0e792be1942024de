/* A record: one ended span as one flat, self-contained run of bytes, made on
 * the caller's thread and read by the worker. Fixed part, then items. Native
 * byte order and 8-byte alignment: records never leave the machine; the wire
 * form is JSON. A process may read the records of one that was killed, so the
 * layout has a version. */
#ifndef LLMLAB_TRACE_RECORD_H
#define LLMLAB_TRACE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include <llmlab/span.h>

#define LLMLAB__RECORD_VERSION 1

typedef enum llmlab__record_type_e {
    LLMLAB__RECORD_SPAN = 1,      /* an ended span */
    LLMLAB__RECORD_UNSAMPLED = 2, /* roll-up keys, usage and cost only */
    LLMLAB__RECORD_CHUNK = 3,     /* a piece of a span's text, see below */
    LLMLAB__RECORD_SCORE = 4
} llmlab__record_type_t;

/* Text above an eighth of a ring travels in pieces: chunk records with the
 * span's ids, each with one INPUT or OUTPUT item, come before the span's own
 * record, in order and through the same ring. The text is their concatenation,
 * then the item of the span's own record. Pieces whose span never comes (its
 * record did not fit) are dropped silently: the span was counted. */

enum {
    LLMLAB__RECORD_REAL_TIME = 1, /* times are Unix, not monotonic */
    LLMLAB__RECORD_STREAM = 2,
    LLMLAB__RECORD_BATCH = 4,
    LLMLAB__RECORD_USAGE_COMPLETE = 8,
    LLMLAB__RECORD_PROVIDER_COST = 16, /* the item is the effective cost */
    LLMLAB__RECORD_CUT = 32,           /* something did not fit */
    LLMLAB__RECORD_ROOT = 64,          /* no parent in this process */
    LLMLAB__RECORD_CALL = 128,         /* a model call: counted and priced */
    LLMLAB__RECORD_PRICE_LATER = 256   /* by the worker: settle.c */
};

typedef struct llmlab__record_s {
    uint32_t size; /* of the whole record, items included; multiple of 8 */
    uint8_t version;
    uint8_t type;    /* llmlab__record_type_t */
    uint8_t kind;    /* llmlab_span_kind_t */
    uint8_t outcome; /* llmlab_outcome_t, never UNSET */
    uint16_t flags;  /* LLMLAB__RECORD_* */
    uint8_t match;   /* llmlab_match_t */
    uint8_t priced;  /* llmlab_priced_t */
    uint8_t usage_source;
    uint8_t cost_source;
    uint16_t attempt;
    uint64_t trace_id[2]; /* high, low */
    uint64_t span_id;
    uint64_t parent_id; /* 0: none */
    int64_t start_ns;   /* monotonic, or Unix by the flag */
    int64_t end_ns;
    int64_t ttft_ns;     /* since start; 0: unknown */
    uint64_t cost[2];    /* femto-USD computed: low, high */
    int32_t http_status; /* 0: unknown */
    uint32_t items;      /* bytes of items that follow */
} llmlab__record_t;

/* What a record begins as: copied, because compilers make slow code of a memset
 * of this size. */
static const llmlab__record_t llmlab__record_blank = {
    .version = LLMLAB__RECORD_VERSION,
};

/* An item: this header, then key_size bytes of key (attributes only), then
 * value_size bytes of value; the next item begins at the next multiple of 4.
 * Strings have no NUL. */
typedef struct llmlab__item_s {
    uint8_t type;     /* llmlab__item_type_t */
    uint8_t key_size; /* attributes: 1..255; else 0 */
    uint16_t value_size;
} llmlab__item_t;

typedef enum llmlab__item_type_e {
    LLMLAB__ITEM_NONE = 0, /* never in a record */
    LLMLAB__ITEM_NAME = 1,
    LLMLAB__ITEM_AGENT = 2,
    LLMLAB__ITEM_USER = 3,
    LLMLAB__ITEM_SESSION = 4,
    LLMLAB__ITEM_TAG = 5, /* repeated */
    LLMLAB__ITEM_PROVIDER = 6,
    LLMLAB__ITEM_API = 7,
    LLMLAB__ITEM_REQUEST_MODEL = 8,
    LLMLAB__ITEM_MODEL = 9,
    LLMLAB__ITEM_RESPONSE_ID = 10,
    LLMLAB__ITEM_FINISH_REASON = 11,
    LLMLAB__ITEM_SERVICE_TIER = 12,
    LLMLAB__ITEM_REGION = 13,
    LLMLAB__ITEM_SPEED = 14,
    LLMLAB__ITEM_PROMPT_NAME = 15,
    LLMLAB__ITEM_PROMPT_VERSION = 16,
    LLMLAB__ITEM_ERROR_TYPE = 17,
    LLMLAB__ITEM_ERROR_CODE = 18,
    LLMLAB__ITEM_USAGE = 19,         /* uint64 present, then its counts in
                                        field order, present ones only */
    LLMLAB__ITEM_PRICE_KEY = 20,     /* the price book's row */
    LLMLAB__ITEM_PRICE_TABLE = 21,   /* the table's version */
    LLMLAB__ITEM_PROVIDER_COST = 22, /* uint64[2] femto-USD: low, high */
    LLMLAB__ITEM_TRACESTATE = 23,
    LLMLAB__ITEM_INPUT = 24,
    LLMLAB__ITEM_OUTPUT = 25,
    LLMLAB__ITEM_FINGERPRINT = 26, /* 16 bytes */
    LLMLAB__ITEM_PREFIX = 27,      /* 8 bytes each */
    LLMLAB__ITEM_SEARCH_CONTEXT = 28,
    LLMLAB__ITEM_PARTS = 29, /* per run of a model: uint16 sizes of its name
                                and its usage, name, usage as above */
    LLMLAB__ITEM_ATTR_STRING = 32, /* key, then text */
    LLMLAB__ITEM_ATTR_INT = 33,    /* key, then int64 */
    LLMLAB__ITEM_ATTR_DOUBLE = 34, /* key, then double */
    LLMLAB__ITEM_ATTR_BOOL = 35    /* key, then one byte */
} llmlab__item_type_t;

/* The bytes an item takes, padding included. */
static inline uint32_t
llmlab__item_room(uint32_t key_size, uint32_t value_size)
{
    return ((uint32_t)sizeof(llmlab__item_t) + key_size + value_size + 3) &
           ~UINT32_C(3);
}

/* A view of one item, for readers. */
typedef struct llmlab__item_view_s {
    llmlab__item_type_t type;
    const char *key;
    uint8_t key_size;
    uint16_t value_size;
    const unsigned char *value; /* unaligned */
} llmlab__item_view_t;

/* Is this a whole, consistent record of size bytes? Every bound is checked,
 * so that a torn or foreign record is never walked past its end. */
bool llmlab__record_check(const void *bytes, uint32_t size);

/* Walk size bytes of sound items: *cursor starts at 0; false after the last. */
bool llmlab__item_next(const unsigned char *items, uint32_t size,
                       uint32_t *cursor, llmlab__item_view_t *out);

/* Walk the items: *cursor starts at 0; false after the last. The record must
 * have passed the check. */
bool llmlab__record_next(const llmlab__record_t *record, uint32_t *cursor,
                         llmlab__item_view_t *out);

/* Walk a PARTS item's value: *cursor starts at 0; false behind the last, or at
 * one that is malformed (*cursor is not at the end then). */
bool llmlab__part_next(const void *value, size_t size, size_t *cursor,
                       llmlab_usage_part_t *out);

/* Decode a USAGE item. False when it is malformed. */
bool llmlab__record_usage(const llmlab__item_view_t *item, llmlab_usage_t *out);

#endif
