/* TLS: verified, always. llmlab-test: threads */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <llmlab/llmlab.h>

#include "support/client.h"
#include "support/peer.h"

static peer_t peer;
static int has_peer;

static int
begin(void **state)
{
    (void)state;
    has_peer = peer_start_tls(&peer);
    if (!has_peer) {
        print_message("SKIP test_tls: python3 or openssl is not here\n");
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

static void
expect(llmlab_client_t *client, llmlab_status_t expected, uint64_t delivered)
{
    test_record(client, 5);
    llmlab_client_flush(client, 0, NULL);
    test_await_attempts(client, 1);
    assert_int_equal(
        llmlab_client_flush(client, expected == LLMLAB_OK ? 10000 : 300, NULL),
        expected);
    assert_int_equal(test_stats(client).delivered, delivered);
    llmlab_client_close(client, 0);
}

static void
test_a_certificate_that_nobody_vouches_for(void **state)
{
    (void)state;
    if (!has_peer) {
        skip();
    }
    expect(test_open("url", peer.url, "api_key", peer_key(), "log.level",
                     "error", NULL),
           LLMLAB_ENETWORK, 0);
}

static void
test_another_host_than_the_certificates(void **state)
{
    char url[64];

    (void)state;
    if (!has_peer) {
        skip();
    }
    snprintf(url, sizeof(url), "https://localhost:%d", peer.port);
    expect(test_open("url", url, "api_key", peer_key(), "tls.ca_file",
                     peer.certificate, "log.level", "error", NULL),
           LLMLAB_ENETWORK, 0);
}

static void
test_an_authority_from_a_file(void **state)
{
    (void)state;
    if (!has_peer) {
        skip();
    }
    expect(test_open("url", peer.url, "api_key", peer_key(), "tls.ca_file",
                     peer.certificate, NULL),
           LLMLAB_OK, 5);
}

static void
test_an_authority_as_text(void **state)
{
    static char pem[8192];
    FILE *file;
    char *key;

    (void)state;
    if (!has_peer) {
        skip();
    }
    file = fopen(peer.certificate, "r");
    assert_non_null(file);
    assert_true(fread(pem, 1, sizeof(pem) - 1, file) > 0);
    fclose(file);
    key = strstr(pem, "-----BEGIN PRIVATE");
    assert_non_null(key);
    *key = '\0';
    expect(test_open("url", peer.url, "api_key", peer_key(), "tls.ca_pem", pem,
                     NULL),
           LLMLAB_OK, 5);
}

static void
test_a_file_of_authorities_that_is_not_there(void **state)
{
    (void)state;
    if (!has_peer) {
        skip();
    }
    expect(test_open("url", peer.url, "api_key", peer_key(), "tls.ca_file",
                     "/nowhere/ca.pem", "log.level", "error", NULL),
           LLMLAB_ENETWORK, 0);
}

static void
test_a_proxy_that_is_not_there(void **state)
{
    (void)state;
    if (!has_peer) {
        skip();
    }
    expect(test_open("url", peer.url, "api_key", peer_key(), "tls.ca_file",
                     peer.certificate, "proxy", "http://127.0.0.1:1",
                     "log.level", "error", NULL),
           LLMLAB_ENETWORK, 0);
    expect(test_open("url", peer.url, "api_key", peer_key(), "tls.ca_file",
                     peer.certificate, "proxy", "http://127.0.0.1:1",
                     "no_proxy", "127.0.0.1", NULL),
           LLMLAB_OK, 5);
}

/* Found by the hash of its subject, as c_rehash names it. */
static void
test_a_directory_of_authorities(void **state)
{
    char directory[80];
    char command[400];

    (void)state;
    if (!has_peer) {
        skip();
    }
    snprintf(directory, sizeof(directory), "%s.d", peer.certificate);
    snprintf(command, sizeof(command),
             "mkdir %s && openssl x509 -in %s "
             "-out %s/$(openssl x509 -hash -noout -in %s).0",
             directory, peer.certificate, directory, peer.certificate);
    assert_int_equal(system(command), 0);
    expect(test_open("url", peer.url, "api_key", peer_key(), "tls.ca_dir",
                     directory, NULL),
           LLMLAB_OK, 5);
    snprintf(command, sizeof(command), "rm -r %s", directory);
    assert_int_equal(system(command), 0);
    expect(test_open("url", peer.url, "api_key", peer_key(), "tls.ca_dir",
                     directory, "log.level", "error", NULL),
           LLMLAB_ENETWORK, 0);
}

static void
test_a_certificate_of_the_clients(void **state)
{
    peer_t strict;
    test_log_t log = {0, ""};
    llmlab_config_t *config;
    llmlab_client_t *client;

    (void)state;
    if (!has_peer) {
        skip();
    }
    /* Its certificate takes the place of the other peer's. */
    peer_stop(&peer);
    assert_true(peer_start_mutual_tls(&strict));
    expect(test_open("url", strict.url, "api_key", peer_key(), "tls.ca_file",
                     strict.certificate, "tls.cert_file", strict.certificate,
                     "tls.key_file", strict.certificate, NULL),
           LLMLAB_OK, 5);
    expect(test_open("url", strict.url, "api_key", peer_key(), "tls.ca_file",
                     strict.certificate, "log.level", "error", NULL),
           LLMLAB_ENETWORK, 0);

    /* A key that is not there is told, once. */
    config = llmlab_config_new();
    assert_int_equal(llmlab_config_set(config, "url", strict.url), LLMLAB_OK);
    assert_int_equal(llmlab_config_set(config, "api_key", peer_key()),
                     LLMLAB_OK);
    assert_int_equal(
        llmlab_config_set(config, "tls.cert_file", "/nowhere/cert.pem"),
        LLMLAB_OK);
    assert_int_equal(
        llmlab_config_set(config, "tls.ca_file", strict.certificate),
        LLMLAB_OK);
    llmlab_config_set_log(config, test_log, &log);
    assert_int_equal(llmlab_client_open(&client, config), LLMLAB_OK);
    llmlab_config_destroy(config);
    test_record(client, 5);
    assert_int_equal(llmlab_client_flush(client, 1000, NULL), LLMLAB_ENETWORK);
    assert_int_equal(log.lines, 1);
    assert_non_null(strstr(log.last, "/nowhere/cert.pem"));
    llmlab_client_close(client, 0);
    peer_stop(&strict);
    has_peer = peer_start_tls(&peer);
}

static void
test_a_proxy_that_wants_a_password(void **state)
{
    peer_t proxy;
    char address[100];
    cJSON *report;
    const cJSON *seen;

    (void)state;
    if (!has_peer) {
        skip();
    }
    assert_true(peer_start(&proxy));
    snprintf(address, sizeof(address), "http://me:pass%%40word@127.0.0.1:%d",
             proxy.port);
    expect(test_open("url", "http://costs.invalid", "api_key", peer_key(),
                     "proxy", address, NULL),
           LLMLAB_OK, 5);
    report = peer_report(&proxy);
    seen = cJSON_GetArrayItem(cJSON_GetObjectItem(report, "proxied"), 0);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(seen, 0)),
                        "http://costs.invalid/v1/projects/-/traces");
    /* me:pass@word */
    assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(seen, 1)),
                        "Basic bWU6cGFzc0B3b3Jk");
    cJSON_Delete(report);

    /* 407: held, told. */
    peer_script(&proxy, "[\"407\",\"407\",\"407\",\"407\"]");
    expect(test_open("url", "http://costs.invalid", "api_key", peer_key(),
                     "proxy", address, "log.level", "error", NULL),
           LLMLAB_EAUTH, 0);
    peer_stop(&proxy);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_certificate_that_nobody_vouches_for),
        cmocka_unit_test(test_another_host_than_the_certificates),
        cmocka_unit_test(test_an_authority_from_a_file),
        cmocka_unit_test(test_an_authority_as_text),
        cmocka_unit_test(test_a_file_of_authorities_that_is_not_there),
        cmocka_unit_test(test_a_proxy_that_is_not_there),
        cmocka_unit_test(test_a_directory_of_authorities),
        cmocka_unit_test(test_a_certificate_of_the_clients),
        cmocka_unit_test(test_a_proxy_that_wants_a_password),
    };

    unsetenv("no_proxy");
    unsetenv("NO_PROXY");
    return cmocka_run_group_tests(tests, begin, end);
}
