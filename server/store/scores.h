/* The store's table of scores. */
#ifndef LLMLAB_STORE_SCORES_H
#define LLMLAB_STORE_SCORES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llmlab/status.h>

#include "store/rows.h"

struct llmlab__reader_s;

typedef struct llmlab__score_s {
    int64_t row; /* grows with each score */
    uint64_t trace_high;
    uint64_t trace_low;
    uint64_t span_id; /* 0: of the trace */
    int64_t at_ns;
    double value;
    bool has_value; /* else the label is the value */
    const char *id;
    const char *name;
    const char *label;  /* NULL: none; "true", "false": a boolean */
    const char *source; /* NULL, as those below: not stated */
    const char *version;
    const char *comment;
} llmlab__score_t;

typedef struct llmlab__score_query_s {
    int64_t project;
    bool has_trace;
    uint64_t trace_high;
    uint64_t trace_low;
    uint64_t span_id;   /* 0: any */
    const char *name;   /* NULL: any */
    const char *source; /* NULL: any */
    int64_t start_ns;   /* inclusive */
    int64_t end_ns;     /* exclusive */
    int64_t before_ns;  /* the last of the page before; INT64_MAX: none */
    int64_t before;     /* its row */
    size_t limit;
} llmlab__score_query_t;

/* Texts live until the function returns. False ends the walk. */
typedef bool (*llmlab__score_fn)(void *payload, const llmlab__score_t *score);
/* Values of one name follow each other, and among them those of a label. */
typedef bool (*llmlab__score_value_fn)(void *payload, const char *name,
                                       bool has_value, double value,
                                       const char *label);

/* Statuses as in store.h. A changer is one of store.h's changes. */
typedef struct llmlab__score_ops_s {
    /* LLMLAB_EINVAL: there is one of this id. LLMLAB_EUNSUPPORTED: its trace
     * was deleted. */
    llmlab_status_t (*add)(struct llmlab__reader_s *changer, int64_t project,
                           const llmlab__score_t *score);
    /* Latest first. *more: so many were looked at that the page ends with the
     * score at *end_ns and *end, which need not match. */
    llmlab_status_t (*list)(struct llmlab__reader_s *reader,
                            const llmlab__score_query_t *query,
                            llmlab__score_fn visit, void *payload, bool *more,
                            int64_t *end_ns, int64_t *end);
    llmlab_status_t (*get)(struct llmlab__reader_s *reader, int64_t project,
                           const char *id, llmlab__score_fn visit,
                           void *payload);
    llmlab_status_t (*remove)(struct llmlab__reader_s *changer, int64_t project,
                              const char *id);
    /* The values of a question's scores, of query->limit at most; *more tells
     * that there are others. */
    llmlab_status_t (*values)(struct llmlab__reader_s *reader,
                              const llmlab__score_query_t *query,
                              llmlab__score_value_fn visit, void *payload,
                              bool *more);
} llmlab__score_ops_t;

#endif
