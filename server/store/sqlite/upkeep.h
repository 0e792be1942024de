/* What the files that delete share. */
#ifndef LLMLAB_STORE_SQLITE_UPKEEP_H
#define LLMLAB_STORE_SQLITE_UPKEEP_H

#include "store/sqlite/sqlite_store.h"

/* Begin a transaction of the writer's connection, with its lock; nothing to
 * end when it fails. */
llmlab_status_t llmlab__upkeep_begin(llmlab__sqlite_t *sqlite);
/* Commit if all went well, else undo; answers what came of it. */
llmlab_status_t llmlab__upkeep_end(llmlab__sqlite_t *sqlite,
                                   llmlab_status_t status);

/* reprice.c */
llmlab_status_t llmlab__sqlite_newest(llmlab__reader_t *reader, int64_t project,
                                      int64_t *start_ns);
llmlab_status_t llmlab__sqlite_reprice(llmlab__store_t *store,
                                       const llmlab__reprice_t *reprice,
                                       llmlab__span_place_t *place, bool *more);

#endif
