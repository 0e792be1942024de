/* Backups, and the comparison of sums with calls, as jobs. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_dom.h"
#include "base/status.h"
#include "log.h"
#include "server.h"
#include "services/job_kinds.h"

#define HOUR_NS INT64_C(3600000000000)
/* Unless the arguments say otherwise. */
#define CHECK_HOURS  48
#define BACKUPS_KEPT 3
#define PATH_SIZE    4300

/* A whole number of the arguments, or the fallback. */
static int64_t
argument(const llmlab__job_run_t *run, const char *name, int64_t fallback)
{
    cJSON *arguments = NULL;
    int64_t value = fallback;

    if (llmlab__json_dom_parse(&arguments, run->job.arguments,
                               strlen(run->job.arguments), 0) == LLMLAB_OK &&
        (!llmlab__json_dom_int(llmlab__json_dom_get(arguments, name), &value) ||
         value < 1 || value > 1000000)) {
        value = fallback;
    }
    cJSON_Delete(arguments);
    return value;
}

static bool
on_progress(void *payload, int64_t done, int64_t total)
{
    (void)done;
    (void)total;
    return !llmlab__job_stopping(payload);
}

static void
on_difference(void *payload, const llmlab__difference_t *difference)
{
    (void)payload;
    llmlab__server_log(
        LLMLAB_LOG_ERROR, "a sum is not what its calls say",
        "project %" PRId64 ", %s %s: %s is %" PRId64 ", not %" PRId64,
        difference->project, difference->where, difference->place,
        difference->what, difference->stored, difference->expected);
}

llmlab_status_t
llmlab__job_check(llmlab__job_run_t *run)
{
    llmlab__store_t *store = run->store;
    llmlab__reader_t *reader = store->ops->acquire(store);
    llmlab__check_t check = {.from_ns =
                                 llmlab__clock_real_ns() -
                                 argument(run, "hours", CHECK_HOURS) * HOUR_NS,
                             .progress = on_progress,
                             .differs = on_difference,
                             .payload = run};
    llmlab_status_t status =
        reader == NULL ? llmlab__fail(LLMLAB_EIO, "cannot open the database")
                       : store->upkeep->check(reader, &check);

    store->ops->release(store, reader);
    (void)snprintf(run->job.result, sizeof(run->job.result),
                   "{\"hours\":%" PRId64 ",\"spans\":%" PRId64
                   ",\"rows\":%" PRId64 ",\"differences\":%" PRId64 "}",
                   check.hours, check.spans, check.rows, check.differences);
    return status == LLMLAB_OK && check.differences > 0
               ? llmlab__fail(LLMLAB_EINTERNAL,
                              "%" PRId64 " sums are not what their calls say: "
                              "the log tells which",
                              check.differences)
               : status;
}

static int
is_backup(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);

    return strncmp(entry->d_name, "llmlab-", 7) == 0 && size > 10 &&
           strcmp(entry->d_name + size - 3, ".db") == 0;
}

/* Names are times: the oldest come first. */
static void
old_remove(const char *folder, int64_t keep)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_backup, alphasort);

    for (int i = 0; i < count; i++) {
        char path[PATH_SIZE + 300];

        if (i < count - keep) {
            (void)snprintf(path, sizeof(path), "%s/%s", folder,
                           entries[i]->d_name);
            (void)unlink(path);
        }
        free(entries[i]); /* scandir's */
    }
    free(entries);
}

llmlab_status_t
llmlab__job_backup(llmlab__job_run_t *run)
{
    const char *folder = run->server->backup_dir;
    char time[LLMLAB__TIME_TEXT];
    char path[PATH_SIZE];
    int64_t bytes = 0;
    llmlab_status_t status;

    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return llmlab__fail(LLMLAB_EIO, "cannot make the folder of backups: %s",
                            strerror(errno));
    }
    (void)llmlab__time_format(llmlab__clock_real_ns(), time);
    (void)snprintf(path, sizeof(path), "%s/llmlab-%.19s.db", folder, time);
    for (char *at = path + strlen(folder); *at != '\0'; at++) {
        if (*at == ':') {
            *at = '-';
        }
    }
    status =
        run->store->upkeep->backup(run->store, path, on_progress, run, &bytes);
    if (status == LLMLAB_OK) {
        old_remove(folder, argument(run, "keep", BACKUPS_KEPT));
        (void)snprintf(run->job.result, sizeof(run->job.result),
                       "{\"file\":\"%s\",\"bytes\":%" PRId64 "}",
                       path + strlen(folder) + 1, bytes);
    }
    return status;
}
