/* A batch as rows: what the ingest parser makes on a connection's thread and
 * the writer stores. Texts point into the batch's own memory. */
#ifndef LLMLAB_STORE_ROWS_H
#define LLMLAB_STORE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llmlab/span.h>

#include "base/buf.h"

typedef struct llmlab__text_s {
    const char *data; /* NULL: not stated */
    size_t size;
} llmlab__text_t;

/* What every roll-up row sums: X(enumerator, column). Token classes are
 * disjoint, so that nothing is counted twice. */
#define LLMLAB__SUM_MAP(X)                          \
    X(SPANS, "spans")                               \
    X(CALLS, "calls")                               \
    X(UNPRICED, "unpriced")                         \
    X(ESTIMATED, "estimated")                       \
    X(COST_NANO, "cost_nano")                       \
    X(COST_REST, "cost_rest")                       \
    X(CLIENT_NANO, "client_nano")                   \
    X(CLIENT_REST, "client_rest")                   \
    X(DURATION_NS, "duration_ns")                   \
    X(INPUT_TEXT, "input_text")                     \
    X(INPUT_CACHE_READ, "input_cache_read")         \
    X(INPUT_CACHE_WRITE, "input_cache_write")       \
    X(INPUT_CACHE_WRITE_1H, "input_cache_write_1h") \
    X(INPUT_AUDIO, "input_audio")                   \
    X(INPUT_IMAGE, "input_image")                   \
    X(INPUT_VIDEO, "input_video")                   \
    X(OUTPUT_TEXT, "output_text")                   \
    X(OUTPUT_REASONING, "output_reasoning")         \
    X(OUTPUT_AUDIO, "output_audio")                 \
    X(OUTPUT_IMAGE, "output_image")                 \
    X(OUTPUT_VIDEO, "output_video")                 \
    X(WEB_SEARCHES, "web_searches")

typedef enum llmlab__sum_e {
#define LLMLAB__SUM_ENUM_(name, column) LLMLAB__SUM_##name,
    LLMLAB__SUM_MAP(LLMLAB__SUM_ENUM_)
#undef LLMLAB__SUM_ENUM_
        LLMLAB__SUMS
} llmlab__sum_t;

/* Tags of a step, at most. */
#define LLMLAB__STEP_TAGS 64

#define LLMLAB__FEMTO_PER_NANO 1000000

/* Sums with the rests below their carry (0..999999). */
typedef struct llmlab__sums_s {
    int64_t of[LLMLAB__SUMS];
} llmlab__sums_t;

/* *sums += more, carrying. False, and *sums unchanged, on overflow. */
bool llmlab__sums_add(llmlab__sums_t *sums, const llmlab__sums_t *more);
/* *sums -= less; less was added before. */
void llmlab__sums_subtract(llmlab__sums_t *sums, const llmlab__sums_t *less);
int64_t llmlab__sums_input(const llmlab__sums_t *sums);
int64_t llmlab__sums_output(const llmlab__sums_t *sums);

typedef enum llmlab__verdict_e {
    LLMLAB__ROW_NEW = 0,
    LLMLAB__ROW_STORED,
    LLMLAB__ROW_DUPLICATE,
    LLMLAB__ROW_REJECTED
} llmlab__verdict_t;

/* A step, or a row of unsampled calls (then only what a roll-up needs). */
typedef struct llmlab__row_s {
    uint64_t trace_high;
    uint64_t trace_low;
    uint64_t span_id;
    uint64_t parent_id; /* 0: none */
    uint64_t number;
    int64_t start_ns;
    int64_t duration_ns;
    int64_t ttft_ns; /* -1: unknown */
    uint8_t kind;    /* llmlab_span_kind_t */
    uint8_t outcome; /* llmlab_outcome_t */
    uint8_t verdict; /* llmlab__verdict_t */
    uint8_t priced;
    uint8_t match;
    uint8_t usage_source;
    uint8_t cost_source;
    bool has_cost;
    bool has_client_cost;
    llmlab__text_t name;
    llmlab__text_t agent;
    llmlab__text_t user;
    llmlab__text_t session;
    llmlab__text_t provider;
    llmlab__text_t model;
    llmlab__text_t price_key;
    llmlab__text_t usage;  /* raw JSON */
    llmlab__text_t tags;   /* raw JSON array */
    llmlab__text_t detail; /* members of a JSON object, comma-separated */
    llmlab__sums_t sums;   /* what it adds to the roll-ups */
    const uint64_t *pairs; /* unsampled: [first, last] pairs */
    size_t pair_count;
} llmlab__row_t;

typedef struct llmlab__score_row_s {
    uint64_t trace_high;
    uint64_t trace_low;
    uint64_t span_id; /* 0: of the trace */
    uint64_t number;
    int64_t at_ns;
    double value;
    bool has_value;
    uint8_t verdict;
    llmlab__text_t name;
    llmlab__text_t label;
    llmlab__text_t source;
    llmlab__text_t version; /* of the source */
    llmlab__text_t comment;
} llmlab__score_row_t;

typedef struct llmlab__rejection_s {
    uint64_t trace_high;
    uint64_t trace_low;
    uint64_t span_id; /* 0: unknown */
    uint64_t number;  /* 0: unknown */
    bool has_trace;
    const char *field; /* static */
    const char *type;  /* static */
} llmlab__rejection_t;

/* What a trace says for those of its steps that say nothing themselves,
 * whenever they come. */
typedef struct llmlab__trace_fill_s {
    uint64_t trace_high;
    uint64_t trace_low;
    llmlab__text_t agent;
    llmlab__text_t user;
    llmlab__text_t session;
} llmlab__trace_fill_t;

/* Memory that lives as long as the batch's contents; kept for the next. */
typedef struct llmlab__arena_s {
    struct llmlab__arena_block_s *blocks; /* the one in use first */
    size_t used;
} llmlab__arena_t;

void *llmlab__arena_alloc(llmlab__arena_t *arena, size_t size);
void llmlab__arena_clear(llmlab__arena_t *arena);
void llmlab__arena_cleanup(llmlab__arena_t *arena);

typedef struct llmlab__totals_s {
    int64_t accepted;
    int64_t delivered;
    int64_t rejected;
    int64_t dead;
    int64_t unsampled;
    int64_t dropped;
} llmlab__totals_t;

typedef struct llmlab__batch_s {
    /* Set before parsing. */
    int64_t project;
    int64_t api_key;
    int64_t now_ns;
    int64_t retention_ns; /* of the project; 0: as the server says */
    bool any_time;        /* an admin key may send times out of the window */

    /* The envelope. */
    char instance[37];
    uint64_t first;
    uint64_t count;
    llmlab__text_t sdk_name;
    llmlab__text_t sdk_version;
    llmlab__text_t service;
    llmlab__text_t environment;
    llmlab__text_t release;
    llmlab__totals_t totals;

    llmlab__row_t *rows;
    size_t row_count;
    size_t row_capacity;
    llmlab__row_t *unsampled;
    size_t unsampled_count;
    size_t unsampled_capacity;
    llmlab__score_row_t *scores;
    size_t score_count;
    size_t score_capacity;
    llmlab__trace_fill_t *fills;
    size_t fill_count;
    size_t fill_capacity;
    llmlab__rejection_t *rejections;
    size_t rejection_count;
    size_t rejection_capacity;

    llmlab__buf_t body; /* the inflated JSON */
    llmlab__arena_t arena;

    /* Set by the store. */
    size_t parsed_rejections; /* of the rejections: the parser's */
    uint64_t accepted;
    uint64_t duplicate;
    llmlab_status_t status;
    const char *problem; /* static; with a status that is not LLMLAB_OK */

    /* Called by the writer once the batch is durable or refused. */
    void (*done)(struct llmlab__batch_s *batch);
    void *owner;
    struct llmlab__batch_s *next;
} llmlab__batch_t;

llmlab__batch_t *llmlab__batch_new(void);
void llmlab__batch_destroy(llmlab__batch_t *batch);
/* Forget the contents; the memory stays for the next batch. */
void llmlab__batch_clear(llmlab__batch_t *batch);
/* A zeroed row more; NULL: out of memory. Rows move when the array grows. */
llmlab__row_t *llmlab__batch_add_row(llmlab__batch_t *batch);
llmlab__row_t *llmlab__batch_add_unsampled(llmlab__batch_t *batch);
llmlab__score_row_t *llmlab__batch_add_score(llmlab__batch_t *batch);
llmlab__trace_fill_t *llmlab__batch_add_fill(llmlab__batch_t *batch);
llmlab__rejection_t *llmlab__batch_add_rejection(llmlab__batch_t *batch);

#endif
