/* Spans at their limits: unsampled, private, too long, too many, interrupted
 * by a signal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>

#include <llmlab/llmlab.h>

#include "base/clock.h"
#include "support/recording.h"

#define REPLY                                                         \
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\","          \
    "\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0," \
    "\"message\":{\"role\":\"assistant\",\"content\":\"hi\"},"        \
    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1200," \
    "\"completion_tokens\":80,\"total_tokens\":1280}}"
#define REPLY_COST UINT64_C(228000000000) /* 1200 x 0.15 + 80 x 0.60 USD/M */

static recording_t *recording;
static llmlab_client_t *client;

static int
set_up(void **state)
{
    (void)state;
    recording = recording_open();
    client = recording_client(recording);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    recording_close(recording);
    return 0;
}

static void
set_tokens(llmlab_span_t *span, uint64_t input, uint64_t output)
{
    llmlab_usage_t usage = {0};

    llmlab_usage_set(&usage, LLMLAB_USAGE_INPUT_TOKENS, input);
    llmlab_usage_set(&usage, LLMLAB_USAGE_OUTPUT_TOKENS, output);
    assert_int_equal(llmlab_span_set_usage(span, &usage), LLMLAB_OK);
}

static void
test_unsampled_traces_keep_what_totals_need(void **state)
{
    llmlab__tracer_counts_t counts;
    const llmlab__record_t *record;
    llmlab__item_view_t item;
    llmlab_span_t *root;
    llmlab_span_t *span;
    char text[LLMLAB_TRACEPARENT_TEXT];

    (void)state;
    recording->tracer.sample_below = 0;
    root = llmlab_span_start(client, NULL, "run", LLMLAB_SPAN_AGENT);
    llmlab_span_set_user(root, "u1", 2);
    span = llmlab_span_start(client, root, "answer", LLMLAB_SPAN_LLM);
    assert_int_equal(llmlab_span_set_string(span, "k", "v"), LLMLAB_OK);
    assert_int_equal(llmlab_span_set_response(span, "openai",
                                              "chat_completions", REPLY,
                                              sizeof(REPLY) - 1),
                     LLMLAB_OK);
    llmlab_span_traceparent(span, text);
    assert_string_equal(text + 52, "-00");
    llmlab_span_end(span);
    llmlab_span_end(root);
    record = recording_next(recording);
    assert_int_equal(record->type, LLMLAB__RECORD_UNSAMPLED);
    assert_true(record->cost[0] == REPLY_COST);
    assert_true(recording_has(record, LLMLAB__ITEM_AGENT, "run"));
    assert_true(recording_has(record, LLMLAB__ITEM_USER, "u1"));
    assert_true(recording_has(record, LLMLAB__ITEM_PROVIDER, "openai"));
    assert_true(recording_item(record, LLMLAB__ITEM_MODEL, 0, &item));
    assert_true(recording_item(record, LLMLAB__ITEM_USAGE, 0, &item));
    assert_false(recording_item(record, LLMLAB__ITEM_NAME, 0, &item));
    assert_false(recording_attribute(record, "k", &item));
    assert_int_equal(recording_next(recording)->type, LLMLAB__RECORD_UNSAMPLED);
    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_int_equal(counts.accepted, 2);
    assert_int_equal(counts.unsampled, 2);
    assert_int_equal(counts.calls, 1);

    /* A part of the traces, each whole. */
    recording->tracer.sample_below = UINT64_MAX / 4;
    for (int i = 0; i < 2000; i++) {
        root = llmlab_span_start(client, NULL, "run", LLMLAB_SPAN_AGENT);
        span = llmlab_span_start(client, root, "step", LLMLAB_SPAN_TOOL);
        llmlab_span_end(span);
        llmlab_span_end(root);
        assert_int_equal(recording_next(recording)->type,
                         recording_next(recording)->type);
    }
    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_in_range(counts.unsampled, 2 + 2 * 1300, 2 + 2 * 1700);
}

static void
test_text_is_private_until_allowed(void **state)
{
    const llmlab__record_t *record;
    llmlab__item_view_t item;
    llmlab_span_t *span;

    (void)state;
    span = llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_LLM);
    assert_int_equal(llmlab_span_set_input(span, "secret", 6), LLMLAB_OK);
    assert_int_equal(llmlab_span_set_output(span, "secret", 6), LLMLAB_OK);
    llmlab_span_end(span);
    record = recording_next(recording);
    assert_false(recording_item(record, LLMLAB__ITEM_INPUT, 0, &item));
    assert_false(recording_item(record, LLMLAB__ITEM_OUTPUT, 0, &item));

    recording->tracer.capture = LLMLAB__CAPTURE_FULL;
    recording->tracer.capture_max_bytes = 1 << 20;
    span = llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_LLM);
    llmlab_span_set_input(span, "first", 5);
    llmlab_span_set_input(span, "hello", 5);
    llmlab_span_end(span);
    record = recording_next(recording);
    assert_true(recording_has(record, LLMLAB__ITEM_INPUT, "hello"));
    assert_false(recording_item(record, LLMLAB__ITEM_INPUT, 1, &item));
}

static void
test_long_text_comes_in_pieces_before_its_span(void **state)
{
    size_t size = 50000;
    char *text = malloc(size);
    const llmlab__record_t *record;
    llmlab__item_view_t item;
    llmlab_span_t *span;
    size_t got[2] = {0, 0};

    (void)state;
    for (size_t i = 0; i < size; i++) {
        text[i] = (char)('a' + i % 23);
    }
    recording->max_bytes = 1 << 22;
    recording->tracer.capture = LLMLAB__CAPTURE_FULL;
    recording->tracer.capture_max_bytes = 40000;
    for (int round = 0; round < 20; round++) {
        got[0] = got[1] = 0;
        span = llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_LLM);
        llmlab_span_set_input(span, "short", 5);
        llmlab_span_set_input(span, text, size);
        llmlab_span_set_output(span, text, 30000);
        assert_int_equal(llmlab_span_end(span), LLMLAB_OK);
        for (;;) {
            record = recording_next(recording);
            assert_non_null(record);
            if (record->type != LLMLAB__RECORD_CHUNK) {
                break;
            }
            for (int i = 0; i < 2; i++) {
                if (recording_item(record,
                                   i == 0 ? LLMLAB__ITEM_INPUT
                                          : LLMLAB__ITEM_OUTPUT,
                                   0, &item)) {
                    assert_true(item.value_size <= 8192);
                    assert_memory_equal(item.value, text + got[i],
                                        item.value_size);
                    got[i] += item.value_size;
                }
            }
        }
        assert_int_equal(got[0], 40000);
        assert_int_equal(got[1], 30000);
        assert_int_equal(record->flags & LLMLAB__RECORD_CUT,
                         LLMLAB__RECORD_CUT);
        assert_false(recording_item(record, LLMLAB__ITEM_INPUT, 0, &item));
    }
    /* Discarded text goes nowhere. */
    span = llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_LLM);
    llmlab_span_set_input(span, text, size);
    llmlab_span_discard(span);
    assert_null(recording_next(recording));
    free(text);
}

static void
test_a_full_ring_drops_and_counts(void **state)
{
    llmlab__tracer_counts_t counts;
    llmlab_status_t status = LLMLAB_OK;
    uint64_t spans = 0;

    (void)state;
    while (status == LLMLAB_OK && spans < 1000000) {
        llmlab_span_t *span =
            llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_LLM);

        llmlab_span_set_model(span, "openai", "gpt-4o-mini-2024-07-18");
        set_tokens(span, 1200, 80);
        status = llmlab_span_end(span);
        spans++;
    }
    assert_int_equal(status, LLMLAB_EFULL);
    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_int_equal(counts.accepted, spans);
    assert_int_equal(counts.dropped[LLMLAB_DROP_RING_FULL], 1);
    assert_int_equal(counts.open_spans, 0);
    assert_int_equal(recording_drain(recording), spans - 1);
    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_true(counts.cost.low == spans * REPLY_COST); /* it was spent */

    recording->tracer.full_wait_ns = 20000000;
    while (llmlab_span_end(llmlab_span_start(client, NULL, "x",
                                             LLMLAB_SPAN_TOOL)) == LLMLAB_OK) {
        spans++;
    }
    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_int_equal(counts.dropped[LLMLAB_DROP_RING_FULL], 2);
}

static void
test_no_rings_no_spans(void **state)
{
    llmlab__tracer_counts_t counts;

    (void)state;
    recording->refuse = true;
    assert_null(llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_TOOL));
    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_int_equal(counts.accepted, 1);
    assert_int_equal(counts.dropped[LLMLAB_DROP_NO_MEMORY], 1);
}

static void
test_live_tells_ended_roots(void **state)
{
    llmlab_span_t *root;

    (void)state;
    recording->tracer.live = true;
    root = llmlab_span_start(client, NULL, "run", LLMLAB_SPAN_AGENT);
    llmlab_span_end(llmlab_span_start(client, root, "x", LLMLAB_SPAN_TOOL));
    assert_int_equal(recording->roots, 0);
    llmlab_span_end(root);
    assert_int_equal(recording->roots, 1);
}

/* Spans forgotten open are bounded, and cost no others. */
static void
test_open_spans_are_bounded(void **state)
{
    llmlab__tracer_counts_t counts;
    llmlab_span_t *span = NULL;
    uint64_t spans = 0;

    (void)state;
    do {
        span = llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_TOOL);
        spans++;
    } while (span != NULL && spans < 1000000);
    assert_null(span);
    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_int_equal(counts.open_spans, spans - 1);
    assert_int_equal(counts.dropped[LLMLAB_DROP_NO_MEMORY], 1);
    assert_true(spans > 10000);
}

static volatile sig_atomic_t handled;

static void
record_in_handler(int signal)
{
    llmlab_span_t *span =
        llmlab_span_start(client, NULL, "handler", LLMLAB_SPAN_TOOL);

    (void)signal;
    llmlab_span_set_int(span, "k", 1);
    llmlab_span_end(span);
    handled++;
}

/* A timer's signals hit the recording thread anywhere. */
static void
test_a_signal_handler_may_record(void **state)
{
    struct sigaction action = {.sa_handler = record_in_handler};
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = SIGUSR1};
    struct itimerspec every = {{0, 20000}, {0, 20000}};
    llmlab__tracer_counts_t counts;
    uint64_t spans = 0;
    uint64_t read = 0;

    (void)state;
    sigaction(SIGUSR1, &action, NULL);
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    llmlab_span_end(llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_TOOL));
    spans++;
    assert_int_equal(timer_settime(timer, 0, &every, NULL), 0);
    for (int64_t until = llmlab__clock_mono_ns() + INT64_C(300000000);
         llmlab__clock_mono_ns() < until;) {
        for (int i = 0; i < 100; i++) {
            llmlab_span_t *span =
                llmlab_span_start(client, NULL, "main", LLMLAB_SPAN_TOOL);

            llmlab_span_set_string(span, "key", "value");
            llmlab_span_end(span);
            spans++;
        }
        read += recording_drain(recording);
        recording->at = recording->taken.size;
    }
    timer_delete(timer);
    signal(SIGUSR1, SIG_IGN);
    read += recording_drain(recording);
    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_true(handled > 100);
    assert_int_equal(counts.open_spans, 0);
    assert_true(counts.accepted == spans + (uint64_t)handled);
    assert_true(read + counts.dropped[LLMLAB_DROP_REENTERED] +
                    counts.dropped[LLMLAB_DROP_RING_FULL] ==
                counts.accepted);
    print_message("%d handlers, %d inside a span call\n", (int)handled,
                  (int)counts.dropped[LLMLAB_DROP_REENTERED]);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(test_unsampled_traces_keep_what_totals_need),
        UNIT(test_text_is_private_until_allowed),
        UNIT(test_long_text_comes_in_pieces_before_its_span),
        UNIT(test_a_full_ring_drops_and_counts),
        UNIT(test_no_rings_no_spans),
        UNIT(test_live_tells_ended_roots),
        UNIT(test_open_spans_are_bounded),
        UNIT(test_a_signal_handler_may_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
