/* The records of a batch: steps, unsampled rows, scores. */
#ifndef LLMLAB_SERVICES_INGEST_STEP_H
#define LLMLAB_SERVICES_INGEST_STEP_H

#include "base/json_scan.h"
#include "services/ingest.h"

typedef struct llmlab__ingest_s {
    llmlab__batch_t *batch;
    const llmlab__limits_t *limits;
    const llmlab_price_book_t *book;
    llmlab__json_t json;
    size_t items;
    bool failed; /* out of memory */
} llmlab__ingest_t;

/* What a trace says for those of its steps that do not say it themselves. */
typedef struct llmlab__trace_defaults_s {
    uint64_t trace_high;
    uint64_t trace_low;
    llmlab__text_t agent;
    llmlab__text_t user;
    llmlab__text_t session;
    llmlab__text_t tags;
} llmlab__trace_defaults_t;

/* Each reads the value that stands next and adds a row or a rejection. The
 * steps of a trace are completed by llmlab__ingest_settle() once its other
 * members are known. */
void llmlab__ingest_step(llmlab__ingest_t *ingest);
void llmlab__ingest_unsampled(llmlab__ingest_t *ingest);
void llmlab__ingest_score(llmlab__ingest_t *ingest);

/* Give rows from `first` on, and rejections from `first_rejection` on, what
 * their trace says. */
void llmlab__ingest_settle(llmlab__ingest_t *ingest, size_t first,
                           size_t first_rejection,
                           const llmlab__trace_defaults_t *defaults);

#endif
