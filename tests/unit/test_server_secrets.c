/* llmlab-test: link=llmlab_server_core
 *
 * Secrets at rest, tokens, meters, addresses: what the server's doors are made
 * of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sodium.h>

#include "http/client_address.h"
#include "services/meter.h"
#include "services/names.h"
#include "services/password.h"
#include "services/provider_manager.h"

#define SECOND INT64_C(1000000000)

static void
test_vault_seals(void **state)
{
    llmlab__vault_t vault;
    llmlab__vault_t other;
    llmlab__buf_t sealed;
    llmlab__buf_t again;
    llmlab__buf_t opened;

    (void)state;
    memset(&vault, 1, sizeof(vault));
    memset(&other, 2, sizeof(other));
    llmlab__buf_init(&sealed);
    llmlab__buf_init(&again);
    llmlab__buf_init(&opened);
    llmlab__vault_seal(&vault, "secret", 6, &sealed);
    llmlab__vault_seal(&vault, "secret", 6, &again);
    /* Nobody sees that two secrets are the same. */
    assert_int_equal(sealed.size, again.size);
    assert_memory_not_equal(sealed.data, again.data, sealed.size);
    assert_true(
        llmlab__vault_unseal(&vault, sealed.data, sealed.size, &opened));
    assert_int_equal(opened.size, 6);
    assert_memory_equal(opened.data, "secret", 6);
    assert_false(
        llmlab__vault_unseal(&other, sealed.data, sealed.size, &opened));
    for (size_t i = 0; i < sealed.size; i++) {
        sealed.data[i] ^= 1;
        assert_false(
            llmlab__vault_unseal(&vault, sealed.data, sealed.size, &opened));
        sealed.data[i] ^= 1;
        assert_false(llmlab__vault_unseal(&vault, sealed.data, i, &opened));
    }
    llmlab__buf_cleanup(&sealed);
    llmlab__buf_cleanup(&again);
    llmlab__buf_cleanup(&opened);
}

static void
test_tokens(void **state)
{
    static const unsigned char seed[32] = {1};
    static const unsigned char other_seed[32] = {2};
    llmlab__signer_t signer;
    llmlab__signer_t other;
    llmlab__claims_t claims = {.key = 7, .issued_s = 1000, .expires_s = 1900};
    llmlab__claims_t found;
    char text[LLMLAB__JWT_TEXT];

    (void)state;
    llmlab__signer_init(&signer, seed, "server-1");
    llmlab__signer_init(&other, other_seed, "server-1");
    llmlab__jwt_make(&signer, &claims, text);
    assert_true(llmlab__jwt_read(&signer, text, 1000, &found));
    assert_int_equal(found.key, 7);
    assert_int_equal(found.account, 0);
    assert_true(llmlab__jwt_read(&signer, text, 1899, &found));
    assert_false(llmlab__jwt_read(&signer, text, 1900, &found));
    assert_false(llmlab__jwt_read(&signer, text, 900, &found));
    assert_false(llmlab__jwt_read(&other, text, 1000, &found));
    /* The same key, another server. */
    llmlab__signer_init(&other, seed, "server-2");
    assert_false(llmlab__jwt_read(&other, text, 1000, &found));
    /* One that would live longer than they do. */
    claims.expires_s = 1901;
    llmlab__jwt_make(&signer, &claims, text);
    assert_false(llmlab__jwt_read(&signer, text, 1000, &found));
    claims = (llmlab__claims_t){
        .account = 9, .session = {3}, .issued_s = 1000, .expires_s = 1900};
    llmlab__jwt_make(&signer, &claims, text);
    assert_true(llmlab__jwt_read(&signer, text, 1000, &found));
    assert_int_equal(found.account, 9);
    assert_memory_equal(found.session, claims.session, 32);
    for (size_t i = 0; text[i] != '\0'; i++) {
        char kept = text[i];

        text[i] = kept == 'A' ? 'B' : 'A';
        assert_false(llmlab__jwt_read(&signer, text, 1000, &found));
        text[i] = '\0';
        assert_false(llmlab__jwt_read(&signer, text, 1000, &found));
        text[i] = kept;
    }
}

static void
test_passwords(void **state)
{
    char hash[LLMLAB__PASSWORD_TEXT];

    (void)state;
    assert_true(llmlab__password_hash("correct horse", hash));
    assert_non_null(strstr(hash, "$argon2id$v=19$m=19456,t=2,p=1$"));
    assert_true(llmlab__password_check(hash, "correct horse"));
    assert_false(llmlab__password_check(hash, "correct horsf"));
    assert_false(llmlab__password_check("", "correct horse"));
    assert_false(llmlab__password_check("", ""));
    assert_false(llmlab__password_check("garbage", "correct horse"));
    assert_false(llmlab__password_is_old(hash));
}

static void
on_use(void *payload, llmlab__meter_kind_t kind, int64_t id,
       const unsigned char mark[32], int64_t at_ns)
{
    (void)kind;
    (void)mark;
    assert_true(at_ns > 0);
    *(int64_t *)payload += id;
}

static void
test_meter(void **state)
{
    llmlab__meter_t *meter;
    llmlab__reading_t reading;
    int64_t sum = 0;

    (void)state;
    assert_int_equal(llmlab__meter_new(&meter), LLMLAB_OK);
    for (int i = 0; i < 3; i++) {
        assert_true(llmlab__meter_take(meter, LLMLAB__METER_KEY, 1, 3,
                                       60 * SECOND, &reading));
        assert_int_equal(reading.left, 2 - i);
    }
    assert_false(llmlab__meter_take(meter, LLMLAB__METER_KEY, 1, 3, 60 * SECOND,
                                    &reading));
    assert_true(reading.reset_ns > 0 && reading.reset_ns <= 60 * SECOND);
    /* Another kind of the same number is another. */
    assert_true(llmlab__meter_take(meter, LLMLAB__METER_ACCOUNT, 1, 3,
                                   60 * SECOND, NULL));
    llmlab__meter_forget(meter, LLMLAB__METER_KEY, 1);
    assert_true(llmlab__meter_look(meter, LLMLAB__METER_KEY, 1, 3, 60 * SECOND,
                                   &reading));
    assert_int_equal(reading.left, 3);
    /* A window ends. */
    assert_true(llmlab__meter_take(meter, LLMLAB__METER_KEY, 2, 1, 1000, NULL));
    (void)usleep(2000);
    assert_true(llmlab__meter_take(meter, LLMLAB__METER_KEY, 2, 1, 1000, NULL));
    for (int64_t id = 1; id <= 100; id++) {
        llmlab__meter_use(meter, LLMLAB__METER_KEY, id, NULL);
        llmlab__meter_use(meter, LLMLAB__METER_KEY, id, NULL);
    }
    assert_true(llmlab__meter_used(meter, LLMLAB__METER_KEY, 5) > 0);
    assert_int_equal(llmlab__meter_collect(meter, 60, on_use, &sum), 60);
    assert_int_equal(llmlab__meter_collect(meter, 60, on_use, &sum), 40);
    assert_int_equal(llmlab__meter_collect(meter, 60, on_use, &sum), 0);
    assert_int_equal(sum, 5050);
    assert_int_equal(llmlab__meter_used(meter, LLMLAB__METER_KEY, 5), 0);
    /* A flood of others makes it forget, and nothing worse. */
    for (int64_t id = 0; id < 200000; id++) {
        assert_true(llmlab__meter_take(meter, LLMLAB__METER_LOGIN, id, 1,
                                       60 * SECOND, NULL));
    }
    llmlab__meter_destroy(meter);
    llmlab__meter_destroy(NULL);
}

static const char *
address(const char *peer, const char *forwarded, const char *const *proxies)
{
    static char out[LLMLAB__CLIENT_ADDRESS_TEXT];
    llmlab__network_t networks[4];
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET};
    const void *from = &four;
    size_t count = 0;

    while (proxies[count] != NULL) {
        assert_true(llmlab__network_parse(proxies[count], &networks[count]));
        count++;
    }
    if (strchr(peer, ':') != NULL) {
        assert_int_equal(inet_pton(AF_INET6, peer, &six.sin6_addr), 1);
        from = &six;
    } else {
        assert_int_equal(inet_pton(AF_INET, peer, &four.sin_addr), 1);
    }
    llmlab__client_address(from, forwarded, networks, count, out);
    return out;
}

static void
test_addresses(void **state)
{
    static const char *const none[] = {NULL};
    static const char *const some[] = {"10.1.0.0/17", "fd00::/9", "::1", NULL};
    static const char *const bad[] = {"",          "x",           "10.0.0.0/33",
                                      "10.0.0.0/", "10.0.0.0/-1", "::1/129",
                                      "10.0.0",    "10.0.0.0/8x", "10.0.0.0/ 8",
                                      "/8",        "10.0.0.0/+8", "localhost"};
    llmlab__network_t network;

    (void)state;
    assert_string_equal(address("192.0.2.1", "203.0.113.1", none), "192.0.2.1");
    assert_string_equal(address("10.1.2.3", "203.0.113.1", some),
                        "203.0.113.1");
    assert_string_equal(address("10.1.127.255", "203.0.113.1", some),
                        "203.0.113.1");
    assert_string_equal(address("10.1.128.0", "203.0.113.1", some),
                        "10.1.128.0");
    assert_string_equal(address("::1", "1.1.1.1, 203.0.113.1", some),
                        "203.0.113.1");
    assert_string_equal(address("fd7f::1", "2001:db8::7", some), "2001:db8::7");
    assert_string_equal(address("fd80::1", "2001:db8::7", some), "fd80::1");
    assert_string_equal(address("::ffff:10.1.0.9", "203.0.113.1", some),
                        "203.0.113.1");
    assert_string_equal(address("::1", NULL, some), "::1");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(llmlab__network_parse(bad[i], &network));
    }
}

static void
test_names(void **state)
{
    char email[LLMLAB__EMAIL_SIZE + 1];

    (void)state;
    assert_true(llmlab__slug_check("a"));
    assert_true(llmlab__slug_check("My.shop-2_b"));
    assert_false(llmlab__slug_check("0193a7c8-1234-7abc-8abc-0123456789AB"));
    assert_true(llmlab__slug_check("0193a7c8-1234-7abc-8abc-0123456789AX"));
    assert_true(llmlab__email_read("A.b+C@Example.ORG", email));
    assert_string_equal(email, "a.b+c@example.org");
    assert_false(llmlab__email_read("a\n@b", email));
}

static bool
fake_verify(const char *credential, const char *settings,
            char error[LLMLAB__PROVIDER_ERROR_TEXT])
{
    assert_string_equal(settings, "{}");
    if (strcmp(credential, "good") == 0) {
        return true;
    }
    if (strcmp(credential, "bad") == 0) {
        (void)snprintf(error, LLMLAB__PROVIDER_ERROR_TEXT, "it is over");
    }
    return false;
}

static void
test_provider_hook(void **state)
{
    static const llmlab__provider_plugin_t plugin = {.name = "fake",
                                                     .verify = fake_verify};
    static const char *const credentials[] = {"good", "bad", "ugly"};
    char error[LLMLAB__PROVIDER_ERROR_TEXT];
    char hint[LLMLAB__HINT_TEXT];
    llmlab__vault_t vault;
    llmlab__buf_t sealed;

    (void)state;
    memset(&vault, 1, sizeof(vault));
    llmlab__buf_init(&sealed);
    for (int i = 0; i < 3; i++) {
        llmlab__buf_clear(&sealed);
        llmlab__vault_seal(&vault, credentials[i], strlen(credentials[i]),
                           &sealed);
        assert_int_equal(llmlab__provider_verify(&vault, &plugin, sealed.data,
                                                 sealed.size, "{}", error),
                         i == 0 ? LLMLAB__PROVIDER_VERIFIED
                                : LLMLAB__PROVIDER_ERROR);
        assert_string_equal(error, i == 0   ? ""
                                   : i == 1 ? "it is over"
                                            : "the provider refuses the "
                                              "credential");
    }
    assert_int_equal(
        llmlab__provider_verify(&vault, &plugin, "x", 1, "{}", error),
        LLMLAB__PROVIDER_ERROR);
    llmlab__buf_cleanup(&sealed);
    llmlab__provider_hint("0123456789abcdef", hint);
    assert_string_equal(hint, "cdef");
    llmlab__provider_hint("0123456789abcde", hint);
    assert_string_equal(hint, "");
    llmlab__provider_hint("", hint);
    assert_string_equal(hint, "");
    llmlab__provider_hint("0123456789abcdefgh\xc3\xa9", hint);
    assert_string_equal(hint, "");
    assert_null(llmlab__provider_plugin("nobody"));
    assert_non_null(llmlab__provider_plugin("anthropic"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vault_seals),   cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_passwords),     cmocka_unit_test(test_meter),
        cmocka_unit_test(test_addresses),     cmocka_unit_test(test_names),
        cmocka_unit_test(test_provider_hook),
    };

    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
