/* llmlab-test: threads
 *
 * Prices that are fetched, checked and replaced again and again, while threads
 * price by them, read the ledger and flush. For the sanitizers. */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <llmlab/llmlab.h>
#include <sodium.h>

#include "support/client.h"

#define THREADS 32
#define FOR_MS  1500

static unsigned char secret_key[crypto_sign_SECRETKEYBYTES];
static char public_hex[crypto_sign_PUBLICKEYBYTES * 2 + 1];
static int listener = -1;
static atomic_bool stop;

/* A file of the n-th minute of a day; each third is cut, each fifth forged. */
static size_t
make_file(char *out, size_t room, unsigned n)
{
    unsigned char mark[crypto_sign_BYTES];
    char hex[crypto_sign_BYTES * 2 + 1];
    char prices[512];
    char escaped[1024];
    size_t at = 0;

    snprintf(prices, sizeof(prices),
             "{\"llmlab_prices\":1,\"version\":\"2026-11-01T%02u:%02u:00Z\","
             "\"expires\":\"2099-01-01\",\"models\":{\"house\":{\"provider\":"
             "\"acme\",\"rates\":{\"input\":\"%u\"}}}}",
             n / 60 % 24, n % 60, 1 + n % 3);
    crypto_sign_detached(mark, NULL, (unsigned char *)prices, strlen(prices),
                         secret_key);
    mark[0] ^= n % 5 == 4;
    sodium_bin2hex(hex, sizeof(hex), mark, sizeof(mark));
    for (const char *c = prices; *c != '\0'; c++) {
        if (*c == '"') {
            escaped[at++] = '\\';
        }
        escaped[at++] = *c;
    }
    escaped[at] = '\0';
    snprintf(out, room,
             "{\"llmlab_signed_prices\":1,\"prices\":\"%s\",\"signature\":"
             "\"%s\"}",
             escaped, hex);
    return n % 3 == 2 ? strlen(out) / 2 : strlen(out);
}

static void
answer(int peer, unsigned n)
{
    char request[4096];
    char head[128];
    char body[2048];
    size_t size = make_file(body, sizeof(body), n);
    ssize_t got = 0;

    while (got >= 0 && memmem(request, (size_t)got, "\r\n\r\n", 4) == NULL &&
           (size_t)got < sizeof(request)) {
        ssize_t more = read(peer, request + got, sizeof(request) - (size_t)got);

        if (more <= 0) {
            return;
        }
        got += more;
    }
    snprintf(head, sizeof(head),
             "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: "
             "close\r\n\r\n",
             size);
    if (send(peer, head, strlen(head), MSG_NOSIGNAL) < 0 ||
        send(peer, body, size, MSG_NOSIGNAL) < 0) {
        return;
    }
}

static void *
serve(void *unused)
{
    for (unsigned n = 0; !atomic_load(&stop); n++) {
        int peer = accept(listener, NULL, NULL);

        if (peer >= 0) {
            answer(peer, n);
            close(peer);
        }
    }
    return unused;
}

static void
listen_anywhere(char *url, size_t room)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);

    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size),
                     0);
    snprintf(url, room, "http://127.0.0.1:%d/", ntohs(address.sin_port));
}

static void *
price_many(void *client)
{
    llmlab_usage_t usage;
    llmlab_cost_t cost;
    char amount[LLMLAB_MONEY_TEXT];

    llmlab_usage_init(&usage);
    llmlab_usage_set(&usage, LLMLAB_USAGE_INPUT_TOKENS, 1000000);
    while (!atomic_load(&stop)) {
        llmlab_span_t *span =
            llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_LLM);

        llmlab_span_set_model(span, "acme", "house");
        llmlab_span_set_usage(span, &usage);
        if (llmlab_span_cost(span, &cost) == LLMLAB_OK) {
            llmlab_money_format(cost.amount, amount);
            assert_true(amount[0] >= '1' && amount[0] <= '3');
            assert_string_equal(cost.key, "house");
            assert_int_equal(strlen(cost.table), 20);
        }
        llmlab_span_end(span);
        usleep(1000);
    }
    return NULL;
}

static void
watch(llmlab_client_t *client)
{
    int64_t until = test_now_ms() + FOR_MS;
    llmlab_stats_t stats = test_stats(client);

    while (test_now_ms() < until || stats.price_updates < 3) {
        char *text;
        size_t size;

        assert_true(test_now_ms() < until + 30000);
        assert_int_equal(llmlab_client_stats_json(client, &text, &size),
                         LLMLAB_OK);
        llmlab_free(text);
        stats = test_stats(client);
        (void)llmlab_client_flush(client, 50, NULL);
        usleep(5000);
    }
    assert_true(stats.price_refusals > 0);
    assert_true(stats.price_age_s >= 0);
}

static void
test_everything_at_once(void **state)
{
    unsigned char key[crypto_sign_PUBLICKEYBYTES];
    pthread_t threads[THREADS];
    pthread_t server;
    llmlab_client_t *client;
    char url[64];

    (void)state;
    assert_true(sodium_init() >= 0);
    crypto_sign_keypair(key, secret_key);
    sodium_bin2hex(public_hex, sizeof(public_hex), key, sizeof(key));
    listen_anywhere(url, sizeof(url));
    assert_int_equal(pthread_create(&server, NULL, serve, NULL), 0);
    client = test_open("exporter", "file", "exporter.file", "/dev/null",
                       "prices.url", url, "prices.public_key", public_hex,
                       "prices.interval_ms", "100", "log.level", "error", NULL);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, price_many, client),
                         0);
    }
    watch(client);
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    llmlab_client_close(client, 5000);
    shutdown(listener, SHUT_RDWR);
    pthread_join(server, NULL);
    close(listener);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
