#include "upkeep_command.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "store/store.h"

/* Differences that are told one by one. */
#define TOLD_MAX 20

typedef struct command_s {
    const char *verb;
    const llmlab__options_t *options;
    bool shows; /* progress, on a terminal */
    bool shown;
    int64_t told_ns;
    int64_t began_ns;
    int64_t told; /* differences */
    llmlab__buf_t json;
    llmlab__json_out_t out;
} command_t;

static bool
on_progress(void *payload, int64_t done, int64_t total)
{
    command_t *command = payload;
    int64_t now = llmlab__clock_mono_ns();

    if (command->shows && now - command->told_ns > 200000000) {
        command->told_ns = now;
        command->shown = true;
        (void)fprintf(stderr, "\r%s: %3d %%", command->verb,
                      total > 0 ? (int)(done * 100 / total) : 100);
    }
    return true;
}

static void
progress_end(command_t *command)
{
    if (command->shown) {
        (void)fputs("\r\033[K", stderr);
    }
}

static void
member(command_t *command, const char *key, int64_t value)
{
    llmlab__json_key_n(&command->out, key, strlen(key));
    llmlab__json_put_int(&command->out, value);
}

/* The last line: what was done, for people or as JSON. */
static int
finish(command_t *command, llmlab_status_t status, const char *text)
{
    progress_end(command);
    if (status != LLMLAB_OK) {
        (void)fprintf(stderr, "llmlab-server: %s: %s\n", command->verb,
                      llmlab_status_detail());
    }
    if (command->options->json) {
        llmlab__json_key(&command->out, "command");
        llmlab__json_put_text(&command->out, command->verb);
        llmlab__json_key(&command->out, "ok");
        llmlab__json_put_bool(&command->out, status == LLMLAB_OK);
        llmlab__json_key(&command->out, "seconds");
        llmlab__json_put_double(
            &command->out,
            (double)((llmlab__clock_mono_ns() - command->began_ns) / 1000000) /
                1000);
        if (status != LLMLAB_OK) {
            llmlab__json_key(&command->out, "error");
            llmlab__json_put_text(&command->out, llmlab_status_detail());
        }
        llmlab__json_end_object(&command->out);
        (void)printf("%.*s\n", (int)command->json.size,
                     (const char *)command->json.data);
    } else if (status == LLMLAB_OK) {
        (void)printf("%s\n", text);
    }
    return status == LLMLAB_OK ? 0 : 1;
}

static int
backup(command_t *command)
{
    const llmlab__options_t *options = command->options;
    char text[LLMLAB__PATH_TEXT + 64];
    int64_t bytes = 0;
    llmlab_status_t status = llmlab__sqlite_backup(
        options->db, options->file, on_progress, command, &bytes);

    member(command, "bytes", bytes);
    (void)snprintf(text, sizeof(text), "wrote %s, %" PRId64 " bytes",
                   options->file, bytes);
    return finish(command, status, text);
}

static int
restore(command_t *command)
{
    const llmlab__options_t *options = command->options;
    char text[2 * LLMLAB__PATH_TEXT + 64];
    int64_t bytes = 0;
    llmlab_status_t status = llmlab__sqlite_restore(
        options->file, options->db, on_progress, command, &bytes);

    member(command, "bytes", bytes);
    (void)snprintf(text, sizeof(text),
                   "%s is as it was in %s; what it was before is "
                   "%s-replaced",
                   options->db, options->file, options->db);
    return finish(command, status, text);
}

static int
compact(command_t *command)
{
    char text[96];
    int64_t before = 0;
    int64_t after = 0;
    llmlab_status_t status = llmlab__sqlite_compact(
        command->options->db, on_progress, command, &before, &after);

    member(command, "bytes_before", before);
    member(command, "bytes", after);
    (void)snprintf(text, sizeof(text), "%" PRId64 " bytes became %" PRId64,
                   before, after);
    return finish(command, status, text);
}

static void
on_difference(void *payload, const llmlab__difference_t *difference)
{
    command_t *command = payload;

    if (command->told++ < TOLD_MAX) {
        progress_end(command);
        (void)fprintf(stderr,
                      "llmlab-server: project %" PRId64
                      ", %s %s: %s is %" PRId64 ", its spans say %" PRId64 "\n",
                      difference->project, difference->where, difference->place,
                      difference->what, difference->stored,
                      difference->expected);
    }
}

static int
check_result(command_t *command, llmlab_status_t status,
             const llmlab__check_t *check)
{
    char text[192];
    int code;

    member(command, "hours", check->hours);
    member(command, "spans", check->spans);
    member(command, "traces", check->traces);
    member(command, "rows", check->rows);
    member(command, "differences", check->differences);
    (void)snprintf(text, sizeof(text),
                   "%" PRId64 " spans of %" PRId64 " hours, %" PRId64
                   " traces, %" PRId64 " rows: %" PRId64 " differences",
                   check->spans, check->hours, check->traces, check->rows,
                   check->differences);
    code = finish(command, status, text);
    return code == 0 && check->differences > 0 ? 3 : code;
}

static int
check(command_t *command)
{
    llmlab__check_t check = {
        .progress = on_progress, .differs = on_difference, .payload = command};
    llmlab__store_t *store;
    llmlab__reader_t *reader;
    llmlab_status_t status;
    int code;

    if (access(command->options->db, R_OK) != 0) {
        (void)fprintf(stderr, "llmlab-server: there is no %s\n",
                      command->options->db);
        return 1;
    }
    status = llmlab__store_sqlite_open(&store, command->options->db);
    if (status != LLMLAB_OK) {
        return finish(command, status, "");
    }
    reader = store->ops->acquire(store);
    if (command->options->hours > 0) {
        check.from_ns = llmlab__clock_real_ns() -
                        (int64_t)command->options->hours * 3600 * 1000000000;
    }
    status = reader == NULL ? LLMLAB_EIO : store->upkeep->check(reader, &check);
    store->ops->release(store, reader);
    code = check_result(command, status, &check);
    store->ops->close(store);
    return code;
}

static const struct {
    const char *name;
    bool file; /* needs one */
    int (*run)(command_t *command);
} verbs[] = {{"backup", true, backup},
             {"restore", true, restore},
             {"compact", false, compact},
             {"check", false, check}};

bool
llmlab__upkeep_is(const char *verb)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verb, verbs[i].name) == 0) {
            return true;
        }
    }
    return false;
}

int
llmlab__upkeep_command(const char *verb, const llmlab__options_t *options)
{
    command_t command = {.verb = verb,
                         .options = options,
                         .shows = isatty(STDERR_FILENO) == 1,
                         .began_ns = llmlab__clock_mono_ns()};
    int code = 2;

    llmlab__buf_init(&command.json);
    llmlab__json_out_init(&command.out, &command.json);
    llmlab__json_begin_object(&command.out);
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verb, verbs[i].name) != 0) {
            continue;
        }
        if (verbs[i].file && options->file == NULL) {
            (void)fprintf(stderr, "llmlab-server: %s: FILE is needed\n", verb);
        } else {
            code = verbs[i].run(&command);
        }
    }
    llmlab__buf_cleanup(&command.json);
    return code;
}
