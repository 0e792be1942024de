#include "store/sqlite/migrate.h"

#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "store/sqlite/upgrade.h"

static llmlab_status_t
version_read(sqlite3 *db, int *out)
{
    sqlite3_stmt *statement = NULL;
    llmlab_status_t status = LLMLAB_EIO;

    if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL) ==
            SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        *out = sqlite3_column_int(statement, 0);
        status = LLMLAB_OK;
    }
    sqlite3_finalize(statement);
    return status;
}

/* Steps that need more than SQL, by the name after their number. */
static const struct {
    const char *name;
    llmlab_status_t (*run)(sqlite3 *db);
} upgrades[] = {
    {"series.sql", llmlab__upgrade_series},
};

static llmlab_status_t
step_upgrade(sqlite3 *db, const llmlab__migration_t *step)
{
    const char *name = strchr(step->name, '_');

    for (size_t i = 0; i < sizeof(upgrades) / sizeof(upgrades[0]); i++) {
        if (name != NULL && strcmp(name + 1, upgrades[i].name) == 0) {
            return upgrades[i].run(db);
        }
    }
    return LLMLAB_OK;
}

static llmlab_status_t
step_apply(sqlite3 *db, const llmlab__migration_t *step)
{
    char text[48];

    (void)snprintf(text, sizeof(text), "PRAGMA user_version = %d",
                   step->number);
    if (sqlite3_exec(db, step->sql, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) {
        return llmlab__fail(LLMLAB_EIO, "migration %s: %s", step->name,
                            sqlite3_errmsg(db));
    }
    return step_upgrade(db, step);
}

llmlab_status_t
llmlab__migrate(sqlite3 *db)
{
    llmlab_status_t status;
    int version = 0;
    int last = 0;

    /* The lock comes first: two processes may open a new file at once. */
    if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) {
        return llmlab__fail(LLMLAB_EIO, "cannot lock the database: %s",
                            sqlite3_errmsg(db));
    }
    status = version_read(db, &version);
    for (const llmlab__migration_t *step = llmlab__migrations;
         step->number != 0 && status == LLMLAB_OK; step++) {
        last = step->number;
        if (step->number > version) {
            status = step_apply(db, step);
        }
    }
    if (status == LLMLAB_OK && version > last) {
        status = llmlab__fail(LLMLAB_EUNSUPPORTED,
                              "the database has schema %d, this program knows "
                              "up to %d: use a newer llmlab-server",
                              version, last);
    }
    if (status == LLMLAB_OK &&
        sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
        status = llmlab__fail(LLMLAB_EIO, "cannot commit the schema: %s",
                              sqlite3_errmsg(db));
    }
    if (status != LLMLAB_OK) {
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    }
    return status;
}
