/* llmlab-test: threads
 *
 * Price books that are replaced while others price by them: nobody sees half a
 * book, nobody's book is freed under him, and few are alive at once. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <llmlab/llmlab.h>

#include "tests/support/client.h"
#include "tests/support/recording.h"
#include "trace/books.h"

#define THREADS 32
#define FOR_MS  1000

/* One model at so many dollars a million, of a day in 2026. */
static llmlab_price_book_t *
make_book(unsigned day)
{
    llmlab_price_book_t *book;
    char text[256];

    snprintf(text, sizeof(text),
             "{\"llmlab_prices\":1,\"version\":\"2026-%02u-%02u\",\"models\":{"
             "\"house-model-%u\":{\"provider\":\"acme\",\"rates\":{\"input\":"
             "\"%u\"}}},\"aliases\":{\"house\":\"house-model-%u\"}}",
             1 + day / 28, 1 + day % 28, day, day + 1, day);
    assert_int_equal(llmlab_price_book_parse(&book, text, strlen(text)),
                     LLMLAB_OK);
    return book;
}

static void
test_a_book_lives_until_it_is_released(void **state)
{
    llmlab__books_t books;
    unsigned first;
    unsigned again;

    (void)state;
    llmlab__books_init(&books, make_book(0), true);
    first = llmlab__books_take(&books);
    assert_true(llmlab__books_replace(&books, make_book(1)));
    assert_true(llmlab__books_replace(&books, make_book(2)));
    assert_string_equal(
        llmlab_price_book_version(llmlab__books_at(&books, first)),
        "2026-01-01");
    assert_string_equal(llmlab_price_book_version(llmlab__books_newest(&books)),
                        "2026-01-03");
    again = llmlab__books_take(&books);
    assert_string_equal(
        llmlab_price_book_version(llmlab__books_at(&books, again)),
        "2026-01-03");
    llmlab__books_release(&books, again);
    llmlab__books_release(&books, first);
    assert_true(llmlab__books_replace(&books, make_book(3)));
    llmlab__books_cleanup(&books);
}

static void
test_held_books_are_bounded(void **state)
{
    llmlab_price_book_t *late = make_book(27);
    unsigned held[LLMLAB__BOOKS];
    llmlab__books_t books;

    (void)state;
    llmlab__books_init(&books, NULL, true);
    for (unsigned i = 0; i + 1 < LLMLAB__BOOKS; i++) {
        held[i] = llmlab__books_take(&books);
        assert_true(llmlab__books_replace(&books, make_book(i)));
    }
    held[LLMLAB__BOOKS - 1] = llmlab__books_take(&books);
    assert_false(llmlab__books_replace(&books, late));
    llmlab__books_release(&books, held[3]);
    assert_true(llmlab__books_replace(&books, late));
    for (unsigned i = 0; i < LLMLAB__BOOKS; i++) {
        if (i != 3) {
            llmlab__books_release(&books, held[i]);
        }
    }
    llmlab__books_cleanup(&books);
}

static void
test_what_may_not_change_is_not_counted(void **state)
{
    llmlab__books_t books;

    (void)state;
    llmlab__books_init(&books, NULL, false);
    assert_int_equal(llmlab__books_take(&books), 0);
    llmlab__books_release(&books, 0);
    assert_int_equal(atomic_load(&books.in_use), 0);
    llmlab__books_cleanup(&books);
}

/* A span keeps the book that priced it, however many come after. */
static void
test_a_span_holds_its_book(void **state)
{
    recording_t *recording = recording_open();
    llmlab__books_t *books = &recording->tracer.books;
    llmlab_span_t *span;
    llmlab_cost_t cost;
    llmlab_usage_t usage;

    (void)state;
    llmlab__books_init(books, make_book(0), true);
    span = llmlab_span_start(recording_client(recording), NULL, "x",
                             LLMLAB_SPAN_LLM);
    llmlab_usage_init(&usage);
    llmlab_usage_set(&usage, LLMLAB_USAGE_INPUT_TOKENS, 1000000);
    llmlab_span_set_model(span, "acme", "house");
    llmlab_span_set_usage(span, &usage);
    assert_int_equal(llmlab_span_cost(span, &cost), LLMLAB_OK);
    for (unsigned i = 1; i < 50; i++) {
        assert_true(llmlab__books_replace(books, make_book(i)));
    }
    assert_string_equal(cost.key, "house-model-0");
    assert_int_equal(llmlab_span_cost(span, &cost), LLMLAB_OK);
    assert_string_equal(cost.table, "2026-01-01");
    assert_int_equal(llmlab_span_end(span), LLMLAB_OK);
    /* The worker priced it: by the newest. */
    assert_true(recording_has(recording_next(recording), LLMLAB__ITEM_PRICE_KEY,
                              "house-model-49"));
    span = llmlab_span_start(recording_client(recording), NULL, "x",
                             LLMLAB_SPAN_LLM);
    assert_int_equal(llmlab_span_cost(span, &cost), LLMLAB_ENOUSAGE);
    llmlab_span_discard(span);
    for (unsigned i = 50; i < 60; i++) {
        assert_true(llmlab__books_replace(books, make_book(i)));
    }
    recording_close(recording);
}

static atomic_bool stop;

static void
price_one(llmlab_client_t *client)
{
    static const char reply[] =
        "{\"object\":\"chat.completion\",\"model\":\"house\",\"usage\":{"
        "\"prompt_tokens\":1000000,\"completion_tokens\":0,"
        "\"total_tokens\":1000000}}";
    llmlab_span_t *span = llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_LLM);
    llmlab_cost_t cost;
    char amount[LLMLAB_MONEY_TEXT];
    char key[64];

    llmlab_span_set_response(span, "acme", "chat_completions", reply,
                             sizeof(reply) - 1);
    assert_int_equal(llmlab_span_cost(span, &cost), LLMLAB_OK);
    /* Key and amount are of one book. */
    llmlab_money_format(cost.amount, amount);
    snprintf(key, sizeof(key), "house-model-%d", atoi(amount) - 1);
    assert_string_equal(cost.key, key);
    if (cost.amount.low % 2 == 0) {
        llmlab_span_end(span);
    } else {
        llmlab_span_discard(span);
    }
}

static void *
price_many(void *client)
{
    llmlab_call_t call;
    llmlab_usage_t usage;

    llmlab_usage_init(&usage);
    llmlab_usage_set(&usage, LLMLAB_USAGE_INPUT_TOKENS, 1000000);
    llmlab_call_init(&call);
    call.provider = LLMLAB_TEXT("acme");
    call.model = LLMLAB_TEXT("house");
    call.usage = &usage;
    while (!atomic_load(&stop)) {
        price_one(client);
        (void)llmlab_record_call(client, &call); /* the ring is full: dropped,
                                                    and priced here */
    }
    return NULL;
}

static void
test_many_threads_price_while_books_come(void **state)
{
    recording_t *recording = recording_open();
    pthread_t threads[THREADS];
    int64_t until;
    unsigned replaced = 0;

    (void)state;
    llmlab__books_init(&recording->tracer.books, make_book(0), true);
    recording->max_bytes = 4 << 20;
    atomic_store(&stop, false);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, price_many,
                                        recording_client(recording)),
                         0);
    }
    /* Only now: to start so many threads may take longer than that. */
    until = test_now_ms() + FOR_MS;
    for (unsigned i = 1; i < 8 || test_now_ms() < until; i++) {
        llmlab_price_book_t *book = make_book(i % 300);

        if (llmlab__books_replace(&recording->tracer.books, book)) {
            replaced++;
        } else {
            llmlab_price_book_destroy(book);
        }
        if (i % 16 == 0) {
            recording_drain(recording);
        }
        sched_yield();
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_true(replaced > 0);
    /* Nobody holds any: all but the newest go. */
    assert_true(llmlab__books_replace(&recording->tracer.books, make_book(1)));
    for (int i = 0, used = 0; i < LLMLAB__BOOKS; i++) {
        used += recording->tracer.books.slots[i].is_used;
        assert_true(used <= 1);
    }
    recording_close(recording);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_book_lives_until_it_is_released),
        cmocka_unit_test(test_held_books_are_bounded),
        cmocka_unit_test(test_what_may_not_change_is_not_counted),
        cmocka_unit_test(test_a_span_holds_its_book),
        cmocka_unit_test(test_many_threads_price_while_books_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
