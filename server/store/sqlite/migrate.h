/* The schema's numbered steps. PRAGMA user_version tells how far a file is. */
#ifndef LLMLAB_STORE_MIGRATE_H
#define LLMLAB_STORE_MIGRATE_H

#include <sqlite3.h>

#include <llmlab/status.h>

typedef struct llmlab__migration_s {
    int number;
    const char *name;
    const char *sql;
} llmlab__migration_t;

/* In ascending order; the last has number 0. */
extern const llmlab__migration_t llmlab__migrations[];

/* Bring a file up to date, each step in a transaction of its own.
 * LLMLAB_EUNSUPPORTED when the file is newer than this program. */
llmlab_status_t llmlab__migrate(sqlite3 *db);

#endif
