/* A batch as the JSON of docs/wire.schema.json. */
#ifndef LLMLAB_DELIVERY_ENCODE_H
#define LLMLAB_DELIVERY_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llmlab/client.h>

#include "base/buf.h"
#include "delivery/batch.h"
#include "delivery/unsampled.h"

/* What every batch of an instance says of its sender. "" is left out. */
typedef struct llmlab__sender_s {
    const char *language;
    const char *instance;
    const char *service;
    const char *environment;
    const char *release;
} llmlab__sender_t;

/* One record of the batch, linked to the next of its trace. */
typedef struct llmlab__encode_entry_s {
    const llmlab__record_t *record;
    uint64_t number;
    uint32_t next;
} llmlab__encode_entry_t;

typedef struct llmlab__encode_trace_s {
    uint32_t first; /* entries */
    uint32_t last;
} llmlab__encode_trace_t;

/* Memory that is used again for every batch. */
typedef struct llmlab__encoder_s {
    llmlab__buf_t json; /* the result */
    llmlab__buf_t entries;
    llmlab__buf_t traces;
    llmlab__buf_t slots;  /* of uint32_t: trace + 1, by hash */
    llmlab__buf_t chunks; /* of const llmlab__record_t *, in order */
    llmlab__buf_t scores; /* entries */
    llmlab__buf_t input;
    llmlab__buf_t output;
    llmlab__unsampled_t unsampled;
    size_t entry_count;
    size_t trace_count;
    size_t chunk_count;
    size_t score_count;
    uint32_t corrupt; /* records of the last batch that failed their check */
} llmlab__encoder_t;

void llmlab__encoder_init(llmlab__encoder_t *encoder);
void llmlab__encoder_cleanup(llmlab__encoder_t *encoder);
size_t llmlab__encoder_memory(const llmlab__encoder_t *encoder);

/* Encode a batch into encoder->json. totals: the ledger as of now. False when
 * out of memory. */
bool llmlab__encode(llmlab__encoder_t *encoder, const llmlab__sender_t *sender,
                    const llmlab__batch_t *batch, const llmlab_stats_t *totals,
                    int64_t sent_ns);

/* Is the cursor behind the batch's last record? */
bool llmlab__batch_at_end(const llmlab__batch_t *batch,
                          const llmlab__segment_cursor_t *cursor);

#endif
