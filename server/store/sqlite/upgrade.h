/* What a migration needs C for. */
#ifndef LLMLAB_STORE_UPGRADE_H
#define LLMLAB_STORE_UPGRADE_H

#include <sqlite3.h>

#include <llmlab/status.h>

/* Fill `rollup` from the rows of `rollup_old` and the stored spans, then drop
 * the old table. Calls whose spans are gone, or were never stored, have no
 * user, tag or latency there. */
llmlab_status_t llmlab__upgrade_series(sqlite3 *db);

#endif
