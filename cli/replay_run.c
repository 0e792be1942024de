/* Sets a replay up and finds the source that reads what is at its path. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "cli/replay.h"
#include "cli/stop.h"

void
cli_replay_init(cli_replay_t *replay, llmlab_client_t *client, const char *path)
{
    memset(replay, 0, sizeof(*replay));
    replay->client = client;
    replay->path = path;
    replay->agent = "replay";
    replay->steps = 4;
}

static bool
add_model(cli_replay_t *replay, const char *provider, const char *name,
          size_t size)
{
    const char *slash = memchr(name, '/', size);
    size_t provider_size = strlen(provider);

    if (slash != NULL) {
        provider = name;
        provider_size = (size_t)(slash - name);
        size -= provider_size + 1;
        name = slash + 1;
    }
    if (replay->model_count == CLI_REPLAY_MODELS || size == 0 ||
        size >= sizeof(replay->models[0].model) ||
        provider_size >= sizeof(replay->models[0].provider)) {
        return false;
    }
    memcpy(replay->models[replay->model_count].provider, provider,
           provider_size);
    memcpy(replay->models[replay->model_count].model, name, size);
    replay->model_count++;
    return true;
}

bool
cli_replay_add_models(cli_replay_t *replay, const char *provider,
                      const char *list)
{
    for (;;) {
        size_t size = strcspn(list, ",");

        if (!add_model(replay, provider, list, size)) {
            return false;
        }
        if (list[size] == '\0') {
            return true;
        }
        list += size + 1;
    }
}

static bool
ends_with(const char *text, const char *suffix)
{
    size_t size = strlen(text);
    size_t suffix_size = strlen(suffix);

    return size >= suffix_size &&
           strcmp(text + size - suffix_size, suffix) == 0;
}

static bool
run_workload(cli_replay_t *replay)
{
    cli_workload_t workload = {0};
    bool good = ends_with(replay->path, ".csv")
                    ? cli_workload_load_csv(&workload, replay->path)
                    : cli_workload_load_jsonl(&workload, replay->path);

    /* The lines that could be read are sent even so. */
    if (workload.count > 0) {
        replay->mono_ns = llmlab__clock_mono_ns();
        replay->wall_ns = llmlab__clock_real_ns();
        good = cli_replay_workload(replay, &workload) && good;
    }
    cli_workload_cleanup(&workload);
    return good;
}

static bool
run_source(cli_replay_t *replay)
{
    struct stat status;

    if (stat(replay->path, &status) != 0) {
        fprintf(stderr, "llmlab: %s: %s\n", replay->path, strerror(errno));
        return false;
    }
    if (S_ISDIR(status.st_mode)) {
        return cli_replay_replies(replay);
    }
    if (!ends_with(replay->path, ".csv") &&
        !ends_with(replay->path, ".jsonl")) {
        fprintf(stderr,
                "llmlab: %s: neither a folder with index.jsonl nor a .csv or "
                ".jsonl workload\n",
                replay->path);
        return false;
    }
    return run_workload(replay);
}

bool
cli_replay_run(cli_replay_t *replay)
{
    bool good;

    replay->mono_ns = llmlab__clock_mono_ns();
    replay->wall_ns = llmlab__clock_real_ns();
    good = run_source(replay);

    if (good && cli_stop_asked()) {
        fputs("llmlab: stopped before the end of the workload\n", stderr);
        return false;
    }
    return good;
}
