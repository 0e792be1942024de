/* What an idle client costs in memory, over the same program that has libcurl
 * initialised, and how large the stripped library is. */
#include "bench/support/bench.h"

#include <curl/curl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPEATS 5

static double
resident_kib(void)
{
    char line[256];
    double kib = 0;
    FILE *file = fopen("/proc/self/status", "r");

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0) {
            kib = strtod(line + 6, NULL);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib;
}

static void
use_curl(void)
{
    CURL *curl;

    curl_global_init(CURL_GLOBAL_ALL);
    curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, "http://127.0.0.1:9/");
    curl_easy_perform(curl); /* refused */
    curl_easy_cleanup(curl);
}

static void
say_nothing(llmlab_log_level_t level, const char *line, void *payload)
{
    (void)level;
    (void)line;
    (void)payload;
}

/* A client that recorded one call and now waits; nobody listens. */
static int
be_client(int calls, const char *spool)
{
    llmlab_config_t *config = llmlab_config_new();
    llmlab_client_t *client = NULL;
    llmlab_call_t call;
    char key[BENCH_KEY];
    llmlab_status_t status;

    bench_key(key);
    status = llmlab_config_set(config, "api_key", key);
    if (status == LLMLAB_OK) {
        status = llmlab_config_set(config, "url", "http://127.0.0.1:9");
    }
    if (status == LLMLAB_OK) {
        status = llmlab_config_set(config, "spool.mode", spool);
    }
    llmlab_config_set_log(config, say_nothing, NULL);
    if (status == LLMLAB_OK) {
        status = llmlab_client_open(&client, config);
    }
    if (status != LLMLAB_OK) {
        fprintf(stderr, "%s\n", llmlab_status_detail());
        return 1;
    }
    llmlab_config_destroy(config);
    llmlab_call_init(&call);
    call.model = LLMLAB_TEXT("gpt-4o-mini");
    if (calls > 0) {
        llmlab_record_call(client, &call);
        llmlab_client_flush(client, 300, NULL);
        usleep(300000);
    }
    printf("%.0f\n", resident_kib());
    fflush(stdout);
    _exit(0);
}

/* The spool of all that play this role. */
#define directory "/tmp/llmlab-bench-idle"

static int
play(const char *role)
{
    use_curl();
    if (strcmp(role, "curl") == 0) {
        printf("%.0f\n", resident_kib());
        return 0;
    }
    if (strcmp(role, "spooled") == 0) {
        return be_client(1, directory);
    }
    return be_client(strcmp(role, "idle") == 0, "off");
}

/* Run this program in a role; the median of what it says. */
static double
ask(bench_t *bench, const char *self, const char *role)
{
    double answers[REPEATS];
    char command[4200];
    int i;

    snprintf(command, sizeof command, "'%s' --role %s", self, role);
    for (i = 0; i < REPEATS; i++) {
        char line[64] = "";
        FILE *pipe = popen(command, "r");

        if (pipe == NULL || fgets(line, sizeof line, pipe) == NULL) {
            bench_broken(bench, "role %s says nothing", role);
        }
        answers[i] = strtod(line, NULL);
        if (pipe != NULL) {
            pclose(pipe);
        }
    }
    return bench_median(answers, REPEATS);
}

static void
measure_size(bench_t *bench)
{
    char command[4200];
    char copy[] = "/tmp/llmlab-stripped-XXXXXX";
    struct stat info;
    int fd = mkstemp(copy);

    if (fd >= 0) {
        close(fd);
    }
    snprintf(command, sizeof command, "strip -o %s '%s/lib/libllmlab.so'", copy,
             LLMLAB_BUILD_DIR);
    if (system(command) == 0 && stat(copy, &info) == 0) {
        bench_row(bench, "libllmlab.so, stripped", (double)info.st_size / 1024,
                  "KiB", 1536, NAN);
    } else {
        bench_note(bench, "SKIP the library's size: no strip here");
    }
    unlink(copy);
}

int
main(int argc, char **argv)
{
    const char *role = bench_option(argc, argv, "--role");
    char self[4096] = "";
    bench_t bench;
    double base;

    if (role != NULL) {
        return play(role);
    }
    bench_begin(&bench, "idle", argc, argv);
    if (bench.counting) {
        return 0;
    }
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) {
        bench_broken(&bench, "no /proc");
        return bench_end(&bench);
    }
    base = ask(&bench, self, "curl");
    bench_row(&bench, "program with libcurl initialised", base, "KiB", NAN,
              NAN);
    bench_row(&bench, "over it: a client just opened",
              ask(&bench, self, "opened") - base, "KiB", NAN, NAN);
    bench_row(&bench, "over it: an idle client after one call",
              ask(&bench, self, "idle") - base, "KiB", 1024, NAN);
    bench_row(&bench, "over it: the same with a spool",
              ask(&bench, self, "spooled") - base, "KiB", 1024, NAN);
    if (system("rm -rf " directory) != 0) {
        bench_broken(&bench, "cannot remove " directory);
    }
    measure_size(&bench);
    return bench_end(&bench);
}
