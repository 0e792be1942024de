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
    assert_int_equal(llmlab_client_flush(client, 1500, NULL), expected);
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
    };

    unsetenv("no_proxy");
    unsetenv("NO_PROXY");
    return cmocka_run_group_tests(tests, begin, end);
}
