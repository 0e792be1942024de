/* The key and the proxy's password appear in no log line, error, statistic or
 * file.
 *
 * llmlab-test: threads
 * llmlab-sabotage: key_is_logged */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <llmlab/llmlab.h>
#include <llmlab/sys/mock.h>

#include "support/client.h"
#include "support/peer.h"

#define PASSWORD "hunter2hunter2"

static peer_t peer;

static void
expect_clean(const char *text)
{
    if (strstr(text, peer_key() + 10) != NULL ||
        strstr(text, PASSWORD) != NULL) {
        fail_msg("a secret is in: %s", text);
    }
}

static unsigned lines;

static void
check_line(llmlab_log_level_t level, const char *line, void *payload)
{
    (void)level;
    (void)payload;
    lines++;
    expect_clean(line);
}

static llmlab_client_t *
open_debugging(const char *name, const char *value)
{
    static const char *const common[][2] = {{"log.level", "debug"},
                                            {"debug", "1"},
                                            {"retry.base_ms", "1"},
                                            {"retry.max_ms", "2"},
                                            {"retry.probe_ms", "10"}};
    llmlab_config_t *config = llmlab_config_new();
    llmlab_client_t *client;

    for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
        assert_int_equal(llmlab_config_set(config, common[i][0], common[i][1]),
                         LLMLAB_OK);
    }
    assert_int_equal(llmlab_config_set(config, "api_key", peer_key()),
                     LLMLAB_OK);
    assert_int_equal(llmlab_config_set(config, "url", peer.url), LLMLAB_OK);
    assert_int_equal(llmlab_config_set(config, name, value), LLMLAB_OK);
    llmlab_config_set_log(config, check_line, NULL);
    expect_clean(llmlab_config_get(config, "api_key"));
    if (llmlab_config_get(config, "proxy") != NULL) {
        expect_clean(llmlab_config_get(config, "proxy"));
    }
    if (llmlab_client_open(&client, config) != LLMLAB_OK) {
        fail_msg("%s", llmlab_status_detail());
    }
    llmlab_config_destroy(config);
    return client;
}

static void
finish(llmlab_client_t *client)
{
    char *json;

    test_record(client, 5);
    llmlab_client_flush(client, 300, NULL);
    expect_clean(llmlab_status_detail());
    assert_int_equal(llmlab_client_stats_json(client, &json, NULL), LLMLAB_OK);
    expect_clean(json);
    llmlab_free(json);
    llmlab_client_close(client, 100);
    expect_clean(llmlab_status_detail());
}

static void
test_replies_of_all_kinds(void **state)
{
    static const char *const scripts[] = {
        "[\"401\",\"401\"]",  "[\"403\"]",           "[\"404\"]",
        "[\"400\"]",          "[\"503\",\"429:0\"]", "[\"302\"]",
        "[\"html\",\"rst\"]", "[\"reject\"]"};

    (void)state;
    if (peer.pid == 0) {
        skip();
    }
    lines = 0;
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        peer_script(&peer, scripts[i]);
        finish(open_debugging("no_proxy", "*"));
    }
    assert_true(lines > 5);
}

static void
test_proxies(void **state)
{
    static const char *const dead[] = {
        "http://me:" PASSWORD "@127.0.0.1:1",
        "http://me:" PASSWORD "@nowhere.invalid:1",
        "socks5h://me:" PASSWORD "@127.0.0.1:1", "me:" PASSWORD "@127.0.0.1:1"};
    static const char *const wrong[] = {"http://me:" PASSWORD "@[::1",
                                        "gopher://me:" PASSWORD "@127.0.0.1:1",
                                        "me:" PASSWORD "@127.0.0.1:99999"};
    llmlab_config_t *config = llmlab_config_new();

    (void)state;
    for (size_t i = 0; i < sizeof(dead) / sizeof(dead[0]); i++) {
        lines = 0;
        finish(open_debugging("proxy", dead[i]));
        assert_true(lines > 0);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(llmlab_config_set(config, "proxy", wrong[i]),
                         LLMLAB_ECONFIG);
        assert_string_equal(llmlab_status_detail(),
                            "proxy: is not a proxy's address");
        /* libcurl's own variables pass us by. */
        lines = 0;
        setenv("http_proxy", wrong[i], 1);
        finish(open_debugging("service", "x"));
        unsetenv("http_proxy");
        assert_true(lines > 0);
    }
    llmlab_config_destroy(config);
}

static void
test_what_is_written(void **state)
{
    char path[64];
    char text[65536];
    llmlab_client_t *client;
    char *json;
    size_t size;
    FILE *file;

    (void)state;
    snprintf(path, sizeof(path), "/tmp/llmlab-secrets-%d", (int)getpid());
    setenv("LLMLAB_EXPORTER", "file", 1);
    finish(open_debugging("exporter.file", path));
    file = fopen(path, "r");
    assert_non_null(file);
    size = fread(text, 1, sizeof(text) - 1, file);
    text[size] = '\0';
    fclose(file);
    unlink(path);
    assert_non_null(strstr(text, "\"steps\""));
    expect_clean(text);
    unsetenv("LLMLAB_EXPORTER");

    client = open_debugging("exporter", "memory");
    test_record(client, 5);
    llmlab_client_flush(client, 2000, NULL);
    assert_int_equal(llmlab_mock_take_batch(client, &json, NULL), LLMLAB_OK);
    expect_clean(json);
    llmlab_free(json);
    llmlab_client_close(client, 100);
}

static int
begin(void **state)
{
    (void)state;
    if (!peer_start(&peer)) {
        print_message("SKIP test_secrets: python3 is not here\n");
        snprintf(peer.url, sizeof(peer.url), "http://127.0.0.1:1");
    }
    return 0;
}

static int
end(void **state)
{
    (void)state;
    peer_stop(&peer);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies_of_all_kinds),
        cmocka_unit_test(test_proxies),
        cmocka_unit_test(test_what_is_written),
    };

    unsetenv("no_proxy");
    unsetenv("NO_PROXY");
    return cmocka_run_group_tests(tests, begin, end);
}
