/* From the JSON of a batch to rows, in one pass without a tree. A fault of the
 * envelope refuses the batch, a fault of a record only that record. */
#ifndef LLMLAB_SERVICES_INGEST_H
#define LLMLAB_SERVICES_INGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llmlab/pricing.h>

#include "store/rows.h"

typedef struct llmlab__limits_s {
    size_t max_body;      /* bytes as sent */
    size_t max_inflated;  /* bytes of JSON */
    size_t max_items;     /* records in a batch */
    unsigned max_depth;   /* levels of JSON */
    int64_t retention_ns; /* how far back a call may have begun */
} llmlab__limits_t;

void llmlab__limits_init(llmlab__limits_t *limits);

/* Why a request is refused. Texts are static but for the detail. */
typedef struct llmlab__problem_s {
    unsigned status;
    const char *type;
    const char *title;
    const char *field; /* NULL: none */
    bool has_limit;
    bool has_offset;
    uint64_t limit;
    uint64_t offset;
    char detail[256];
} llmlab__problem_t;

/* Say what is wrong; answers false, so that a check is one line. */
bool llmlab__problem(llmlab__problem_t *out, unsigned status, const char *type,
                     const char *title, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Read batch->body, which must stay as it is while the rows are used. book
 * prices the calls; NULL: the built-in table. False: *problem says why the
 * whole batch is refused. */
bool llmlab__ingest_parse(llmlab__batch_t *batch,
                          const llmlab__limits_t *limits,
                          const llmlab_price_book_t *book,
                          llmlab__problem_t *problem);

#endif
