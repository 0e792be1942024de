/* llmlab-test: link=llmlab_server_core
 *
 * Scores: what is taken, what is refused, and that they arrive as the server
 * reads them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <pthread.h>

#include <llmlab/llmlab.h>
#include <llmlab/sys/mock.h>

#include "base/clock.h"
#include "services/ingest.h"
#include "tests/support/client.h"
#include "tests/support/recording.h"
#include "tests/support/schema.h"

#define TRACE "0123456789abcdef0123456789abcdef"
#define SPAN  "00000000000000a1"

static llmlab_score_t
a_score(void)
{
    llmlab_score_t score;

    llmlab_score_init(&score);
    score.trace_id = LLMLAB_TEXT(TRACE);
    score.name = LLMLAB_TEXT("helpful");
    score.value = 0.75;
    return score;
}

static void
test_a_score_arrives_whole(void **state)
{
    recording_t *recording = recording_open();
    llmlab_score_t score = a_score();
    const llmlab__record_t *record;
    llmlab__item_view_t item;
    double value;

    (void)state;
    recording->tracer.capture = LLMLAB__CAPTURE_FULL;
    score.span_id = LLMLAB_TEXT(SPAN);
    score.label = LLMLAB_TEXT("good");
    score.source = LLMLAB_TEXT("judge");
    score.version = LLMLAB_TEXT("2");
    score.comment = LLMLAB_TEXT("it says so");
    score.at_ns = INT64_C(1787296180000000000);
    assert_int_equal(llmlab_record_score(recording_client(recording), &score),
                     LLMLAB_OK);
    record = recording_next(recording);
    assert_int_equal(record->type, LLMLAB__RECORD_SCORE);
    assert_int_equal(record->trace_id[0], 0x0123456789abcdef);
    assert_int_equal(record->span_id, 0xa1);
    assert_int_equal(record->start_ns, score.at_ns);
    assert_true(record->flags & LLMLAB__RECORD_REAL_TIME);
    assert_true(recording_has(record, LLMLAB__ITEM_NAME, "helpful"));
    assert_true(recording_attribute(record, "value", &item));
    memcpy(&value, item.value, sizeof(value));
    assert_true(value == 0.75);
    assert_true(recording_attribute(record, "comment", &item));
    assert_int_equal(item.value_size, 10);
    recording_close(recording);
}

/* A comment quotes the reply: it is text like any other. */
static void
test_a_comment_needs_leave(void **state)
{
    static const llmlab__capture_t captures[] = {LLMLAB__CAPTURE_OFF,
                                                 LLMLAB__CAPTURE_METADATA};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        recording_t *recording = recording_open();
        llmlab_score_t score = a_score();
        llmlab__item_view_t item;

        recording->tracer.capture = captures[i];
        score.comment = LLMLAB_TEXT("the user is called Smith");
        assert_int_equal(
            llmlab_record_score(recording_client(recording), &score),
            LLMLAB_OK);
        assert_false(
            recording_attribute(recording_next(recording), "comment", &item));
        recording_close(recording);
    }
}

static void
expect(recording_t *recording, const llmlab_score_t *score,
       llmlab_status_t status)
{
    assert_int_equal(llmlab_record_score(recording_client(recording), score),
                     status);
}

static void
test_what_is_no_score_is_refused(void **state)
{
    static char long_text[LLMLAB_SCORE_TEXT_MAX + 2];
    recording_t *recording = recording_open();
    llmlab_score_t score;
    llmlab__tracer_counts_t counts;

    (void)state;
    memset(long_text, 'x', sizeof(long_text) - 1);
    expect(recording, NULL, LLMLAB_EINVAL);
    assert_int_equal(llmlab_record_score(NULL, &score), LLMLAB_EINVAL);
#define REFUSE(change, status)               \
    do {                                     \
        score = a_score();                   \
        change;                              \
        expect(recording, &score, (status)); \
    } while (0)
    REFUSE(score.struct_size = 0, LLMLAB_EINVAL);
    REFUSE(score.trace_id.size = 31, LLMLAB_EINVAL);
    REFUSE(score.trace_id = LLMLAB_TEXT("xyz3456789abcdef0123456789abcdef"),
           LLMLAB_EINVAL);
    REFUSE(score.trace_id = LLMLAB_TEXT("00000000000000000000000000000000"),
           LLMLAB_EINVAL);
    REFUSE(score.trace_id = (llmlab_text_t){0}, LLMLAB_EINVAL);
    REFUSE(score.span_id = LLMLAB_TEXT("0000000000000000"), LLMLAB_EINVAL);
    REFUSE(score.span_id = LLMLAB_TEXT("a1"), LLMLAB_EINVAL);
    REFUSE(score.name = LLMLAB_TEXT(""), LLMLAB_EINVAL);
    REFUSE(score.value = NAN, LLMLAB_EINVAL);
    REFUSE(score.value = -INFINITY, LLMLAB_EINVAL);
    REFUSE(score.type = LLMLAB_SCORE_CATEGORICAL, LLMLAB_EINVAL);
    REFUSE(score.type = (llmlab_score_type_t)7, LLMLAB_EINVAL);
    REFUSE(score.at_ns = -1, LLMLAB_EINVAL);
    REFUSE((score.name = (llmlab_text_t){long_text, 513}), LLMLAB_ETOOBIG);
    REFUSE((score.source = (llmlab_text_t){long_text, 513}), LLMLAB_ETOOBIG);
    REFUSE((score.version = (llmlab_text_t){long_text, 513}), LLMLAB_ETOOBIG);
    REFUSE((score.label = (llmlab_text_t){long_text, 4097}), LLMLAB_ETOOBIG);
    REFUSE((score.comment = (llmlab_text_t){long_text, 4097}), LLMLAB_ETOOBIG);
    REFUSE((score.comment = (llmlab_text_t){long_text, SIZE_MAX}),
           LLMLAB_ETOOBIG);
#undef REFUSE
    assert_null(recording_next(recording));
    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_int_equal(counts.accepted, 0);
    recording_close(recording);
}

/* The largest score there is; a struct of an older header. */
static void
test_bounds(void **state)
{
    static char long_text[LLMLAB_SCORE_TEXT_MAX];
    recording_t *recording = recording_open();
    llmlab_score_t score = a_score();

    (void)state;
    memset(long_text, 'x', sizeof(long_text));
    recording->tracer.capture = LLMLAB__CAPTURE_FULL;
    score.name = score.source = score.version =
        (llmlab_text_t){long_text, LLMLAB_SCORE_NAME_MAX};
    score.label = score.comment =
        (llmlab_text_t){long_text, LLMLAB_SCORE_TEXT_MAX};
    expect(recording, &score, LLMLAB_OK);
    assert_true(recording_next(recording)->size > 9000);
    score = a_score();
    score.comment = LLMLAB_TEXT("unknown to it");
    score.struct_size = offsetof(llmlab_score_t, source);
    expect(recording, &score, LLMLAB_OK);
    assert_int_equal(recording_items(recording_next(recording)), 2);
    recording_close(recording);
}

static void
test_full_rings_drop_and_count(void **state)
{
    recording_t *recording = recording_open();
    llmlab_score_t score = a_score();
    llmlab__tracer_counts_t counts;
    uint64_t taken = 0;

    (void)state;
    while (llmlab_record_score(recording_client(recording), &score) ==
           LLMLAB_OK) {
        taken++;
    }
    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_int_equal(counts.accepted, taken + 1);
    assert_int_equal(counts.dropped[LLMLAB_DROP_RING_FULL], 1);
    assert_int_equal(counts.calls, 0);
    recording_close(recording);
}

static void
check_stored(llmlab_client_t *client)
{
    schema_t *schema = schema_load(LLMLAB_SOURCE_DIR "/docs/wire.schema.json");
    llmlab__batch_t *batch = llmlab__batch_new();
    llmlab__limits_t limits;
    llmlab__problem_t problem;
    char why[256];
    char *text;
    cJSON *json;

    assert_int_equal(llmlab_mock_take_batch(client, &text, NULL), LLMLAB_OK);
    json = cJSON_Parse(text);
    if (!schema_check(schema, json, why, sizeof(why))) {
        fail_msg("%s", why);
    }
    llmlab__limits_init(&limits);
    llmlab__batch_clear(batch);
    batch->now_ns = llmlab__clock_real_ns();
    llmlab__buf_text(&batch->body, text);
    assert_true(llmlab__ingest_parse(batch, &limits, NULL, &problem));
    assert_int_equal(batch->rejection_count, 0);
    assert_int_equal(batch->row_count, 1);
    assert_int_equal(batch->score_count, 3);
    assert_true(batch->scores[0].value == 0.75);
    assert_int_equal(batch->scores[0].label.size, 0);
    assert_true(batch->scores[0].at_ns > batch->now_ns - 60000000000);
    assert_true(batch->scores[1].has_value && batch->scores[1].value == 1);
    assert_memory_equal(batch->scores[1].label.data, "true", 4);
    assert_false(batch->scores[2].has_value);
    assert_memory_equal(batch->scores[2].label.data, "so \"so\"", 7);
    assert_int_equal(batch->scores[2].span_id, 0xa1);
    assert_memory_equal(batch->scores[2].version.data, "v2", 2);
    llmlab__batch_destroy(batch);
    cJSON_Delete(json);
    schema_free(schema);
    llmlab_free(text);
}

static void
test_the_server_reads_what_the_client_sends(void **state)
{
    llmlab_client_t *client = test_open("exporter", "memory", NULL);
    llmlab_score_t score = a_score();
    llmlab_stats_t stats;

    (void)state;
    assert_int_equal(llmlab_record_score(client, &score), LLMLAB_OK);
    test_record(client, 1);
    score.type = LLMLAB_SCORE_BOOLEAN;
    score.value = 17;
    assert_int_equal(llmlab_record_score(client, &score), LLMLAB_OK);
    score.type = LLMLAB_SCORE_CATEGORICAL;
    score.label = LLMLAB_TEXT("so \"so\"");
    score.span_id = LLMLAB_TEXT(SPAN);
    score.version = LLMLAB_TEXT("v2");
    assert_int_equal(llmlab_record_score(client, &score), LLMLAB_OK);
    assert_int_equal(llmlab_client_flush(client, 5000, NULL), LLMLAB_OK);
    check_stored(client);
    stats = test_stats(client);
    assert_int_equal(stats.accepted, 4);
    assert_int_equal(stats.delivered, 4);
    llmlab_client_close(client, 2000);
}

static void *
record_many(void *payload)
{
    llmlab_score_t score = a_score();

    for (int i = 0; i < 500; i++) {
        (void)llmlab_record_score(payload, &score);
    }
    return NULL;
}

static void
test_from_many_threads(void **state)
{
    llmlab_client_t *client =
        test_open("exporter", "memory", "queue.full", "wait", NULL);
    pthread_t threads[32];
    llmlab_stats_t stats;

    (void)state;
    for (int i = 0; i < 32; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, record_many, client),
                         0);
    }
    for (int i = 0; i < 32; i++) {
        pthread_join(threads[i], NULL);
    }
    llmlab_client_flush(client, 10000, NULL);
    stats = test_stats(client);
    assert_int_equal(stats.accepted, 16000);
    assert_int_equal(test_accounted(&stats), 16000);
    llmlab_client_close(client, 2000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_score_arrives_whole),
        cmocka_unit_test(test_a_comment_needs_leave),
        cmocka_unit_test(test_what_is_no_score_is_refused),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_full_rings_drop_and_count),
        cmocka_unit_test(test_the_server_reads_what_the_client_sends),
        cmocka_unit_test(test_from_many_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
