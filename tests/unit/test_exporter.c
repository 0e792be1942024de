/* The file and console exporters. llmlab-test: threads */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <llmlab/llmlab.h>

#include "support/client.h"
#include "support/schema.h"

static char path[64];

static int
begin(void **state)
{
    int fd;

    (void)state;
    snprintf(path, sizeof(path), "/tmp/llmlab-exporter-XXXXXX");
    fd = mkstemp(path);
    close(fd);
    unlink(path);
    return fd < 0 ? -1 : 0;
}

static int
end(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static char *
read_file(void)
{
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 1 << 22);

    assert_non_null(file);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 22) - 1, file) > 0);
    fclose(file);
    return text;
}

/* Every line is a batch that conforms; the number of records in all. */
static unsigned
count_records(void)
{
    schema_t *schema = schema_load(LLMLAB_SOURCE_DIR "/docs/wire.schema.json");
    char *text = read_file();
    unsigned records = 0;
    char *rest = text;
    char *line;

    assert_int_equal(text[strlen(text) - 1], '\n');
    while ((line = strsep(&rest, "\n")) != NULL && line[0] != '\0') {
        cJSON *json = cJSON_Parse(line);
        char why[256] = "no JSON";

        if (!schema_check(schema, json, why, sizeof(why))) {
            fail_msg("%s", why);
        }
        records += (unsigned)cJSON_GetNumberValue(
            cJSON_GetObjectItem(cJSON_GetObjectItem(json, "batch"), "count"));
        cJSON_Delete(json);
    }
    free(text);
    schema_free(schema);
    return records;
}

static void
test_a_file_has_a_batch_a_line(void **state)
{
    llmlab_client_t *client =
        test_open("exporter", "file", "exporter.file", path, NULL);
    struct stat st;

    (void)state;
    test_record(client, 250);
    assert_int_equal(llmlab_client_close(client, 5000), LLMLAB_OK);
    client = test_open("exporter", "file", "exporter.file", path, NULL);
    test_record(client, 7);
    assert_int_equal(llmlab_client_close(client, 5000), LLMLAB_OK);
    assert_int_equal(count_records(), 257);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void
test_a_file_that_cannot_be_opened(void **state)
{
    llmlab_client_t *client =
        test_open("exporter", "file", "exporter.file", "/nowhere/at/all", NULL);
    llmlab_stats_t stats;

    (void)state;
    test_record(client, 3);
    assert_int_equal(llmlab_client_flush(client, 200, NULL), LLMLAB_ETIMEOUT);
    stats = test_stats(client);
    assert_int_equal(stats.last_status, LLMLAB_EIO);
    assert_int_equal(test_accounted(&stats), 3);
    llmlab_client_close(client, 0);
}

/* In a process of its own, whose files may not grow. */
static int
fill_file(void)
{
    struct rlimit limit = {20000, 20000};
    llmlab_client_t *client =
        test_open("exporter", "file", "exporter.file", path, "batch.max_calls",
                  "10", "retry.base_ms", "1", "log.level", "error", NULL);
    llmlab_stats_t stats;

    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, SIG_IGN);
    test_record(client, 1000);
    llmlab_client_flush(client, 300, NULL);
    stats = test_stats(client);
    return stats.delivered > 0 && stats.delivered < 1000 &&
                   stats.delivered % 10 == 0 && test_accounted(&stats) == 1000
               ? (int)(stats.delivered / 10)
               : 255;
}

static void
test_a_full_disk_leaves_whole_lines(void **state)
{
    pid_t pid = fork();
    int status;

    (void)state;
    if (pid == 0) {
        _exit(fill_file());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(count_records(), 10 * WEXITSTATUS(status));
}

static void
test_the_console_prints_costs_and_a_total(void **state)
{
    static const char reply[] =
        "{\"id\":\"r1\",\"object\":\"chat.completion\","
        "\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,"
        "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1200,"
        "\"completion_tokens\":80,\"total_tokens\":1280}}";
    int out = dup(STDOUT_FILENO);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    llmlab_client_t *client;
    llmlab_span_t *span;
    char *text;

    (void)state;
    fflush(stdout);
    dup2(fd, STDOUT_FILENO);
    client = test_open("exporter", "console", NULL);
    span = llmlab_span_start(client, NULL, "an\x1B[31mswer", LLMLAB_SPAN_LLM);
    llmlab_span_set_response(span, "openai", "chat_completions", reply,
                             sizeof(reply) - 1);
    llmlab_span_end(span);
    span = llmlab_span_start(client, NULL, "other", LLMLAB_SPAN_LLM);
    llmlab_span_set_model(span, "nobody", "our-own");
    llmlab_span_set_error(span, "rate_limit", NULL, 429);
    llmlab_span_end(span);
    assert_int_equal(llmlab_client_close(client, 5000), LLMLAB_OK);
    dup2(out, STDOUT_FILENO);
    close(out);
    close(fd);
    text = read_file();
    assert_non_null(strstr(text, "llm_call an?[31mswer  "
                                 "openai/gpt-4o-mini-2024-07-18  1200 in  "
                                 "80 out  $0.000228  "));
    assert_non_null(strstr(text, "nobody/our-own  unpriced"));
    assert_non_null(strstr(text, "  error rate_limit\n"));
    assert_non_null(strstr(text, "total  2 calls  $0.000228  1 unpriced\n"));
    free(text);
}

int
main(void)
{
#define WITH_PATH(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        WITH_PATH(test_a_file_has_a_batch_a_line),
        WITH_PATH(test_a_file_that_cannot_be_opened),
        WITH_PATH(test_a_full_disk_leaves_whole_lines),
        WITH_PATH(test_the_console_prints_costs_and_a_total),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
