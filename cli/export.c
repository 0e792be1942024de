/* llmlab export: all traces, calls or costs as lines of JSON. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/remote.h"

static const cli_option_t options[] = {
    CLI_SERVER_OPTIONS,
    {"start", "TIME", "a date or instant (default: 29 days before the end)", 0},
    {"end", "TIME", "a date, included, or an instant (default: today)", 0},
    {"tz", "ZONE", "of the dates (default: UTC)", 0},
    {"output", "FILE", "write there (default: standard output)", 'o'},
    {0}};

/* The file has its name once it is whole. */
static bool
save(cli_remote_t *remote, const char *path)
{
    char name[4096];
    FILE *file;
    bool good;

    if (snprintf(name, sizeof(name), "%s.part", path) >= (int)sizeof(name)) {
        fputs("llmlab: --output: the path is too long\n", stderr);
        return false;
    }
    file = fopen(name, "we");
    if (file == NULL) {
        fprintf(stderr, "llmlab: cannot write %s: %s\n", name, strerror(errno));
        return false;
    }
    good = cli_remote_get_to(remote, file);
    if (fclose(file) != 0 && good) {
        good = false;
        fprintf(stderr, "llmlab: cannot write %s: %s\n", name, strerror(errno));
    }
    if (good && rename(name, path) != 0) {
        good = false;
        fprintf(stderr, "llmlab: cannot write %s: %s\n", path, strerror(errno));
    }
    if (!good) {
        (void)unlink(name);
    }
    return good;
}

static int
run(const cli_args_t *args)
{
    const char *path = cli_args_get(args, "output");
    cli_server_t server;
    cli_remote_t remote;
    bool good;

    if (args->count != 1) {
        fputs("llmlab: usage: llmlab export traces|calls|costs [options]\n",
              stderr);
        return CLI_MISUSED;
    }
    cli_server_init(&server, args);
    good = cli_remote_open(&remote, &server);
    if (good) {
        cli_remote_begin(&remote, "exports/stream");
        cli_remote_param(&remote, "of", args->operands[0]);
        cli_remote_time_param(&remote, "start", cli_args_get(args, "start"));
        cli_remote_time_param(&remote, "end", cli_args_get(args, "end"));
        cli_remote_param(&remote, "tz", cli_args_get(args, "tz"));
        good = path != NULL && strcmp(path, "-") != 0
                   ? save(&remote, path)
                   : cli_remote_get_to(&remote, stdout);
    }
    cli_remote_close(&remote);
    return good ? CLI_OK : CLI_FAILED;
}

const cli_command_t cli_command_export = {
    .name = "export",
    .synopsis = "traces|calls|costs [options]",
    .summary = "write all traces, calls or costs as lines of JSON",
    .help = "A line for each, the newest first; costs: for each UTC day and "
            "all that they\nare kept apart by. An export that fails half-way "
            "leaves no file and exits\nwith 1.\n",
    .options = options,
    .run = run,
};
