/* The fixtures, in the providers' wire formats: what is read of them, and that
 * it is the same whatever pieces they come in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <llmlab/pricing.h>
#include <llmlab/status.h>
#include <llmlab/usage.h>

#include "base/json_scan.h"
#include "support/replies.h"

#define FOLDER LLMLAB_SOURCE_DIR "/tests/fixtures/replies"

static recorded_replies_t fixtures;

static int
load(void **state)
{
    (void)state;
    replies_load(&fixtures, FOLDER);
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    replies_free(&fixtures);
    return 0;
}

static const recorded_reply_t *
fixture(const llmlab__json_text_t *id)
{
    for (size_t i = 0; i < fixtures.count; i++) {
        if (strlen(fixtures.replies[i].id) == id->size &&
            memcmp(fixtures.replies[i].id, id->data, id->size) == 0) {
            return &fixtures.replies[i];
        }
    }
    fail_msg("no fixture %.*s", (int)id->size, id->data);
    return NULL;
}

static llmlab_status_t
read_whole(const recorded_reply_t *recorded, bool tell, llmlab_reply_t *out)
{
    llmlab_status_t status = llmlab_usage_read(
        out, tell ? recorded->provider : NULL, tell ? recorded->api : NULL,
        recorded->body, recorded->body_size);

    llmlab_reply_set_url(out, recorded->url, strlen(recorded->url));
    for (size_t i = 0; i < recorded->header_count; i++) {
        llmlab_reply_set_header(out, recorded->header_names[i],
                                recorded->header_values[i]);
    }
    return status;
}

/* --- what is expected ------------------------------------------------------
 */

static void
expect_usage(const recorded_reply_t *recorded, const llmlab_reply_t *reply,
             llmlab__json_t *json)
{
    const llmlab_usage_t *usage = &reply->usage;
    const uint64_t output = UINT64_C(1) << LLMLAB_USAGE_OUTPUT_TOKENS;
    llmlab__json_text_t key;
    uint64_t present = 0;

    assert_true(llmlab__json_enter_object(json));
    while (llmlab__json_next_key(json, &key)) {
        llmlab_usage_field_t field =
            llmlab_usage_field_find(key.data, key.size);
        llmlab__json_text_t number;
        uint64_t want;
        uint64_t got;

        assert_true(field < LLMLAB_USAGE_FIELDS);
        assert_true(llmlab__json_number(json, &number));
        assert_int_equal(llmlab__json_count(&number, &want), 0);
        present |= UINT64_C(1) << field;
        if (!llmlab_usage_get(usage, field, &got)) {
            fail_msg("%s: %s is missing", recorded->id,
                     llmlab_usage_field_name(field));
        } else if (got != want) {
            fail_msg("%s: %s is %llu, not %llu", recorded->id,
                     llmlab_usage_field_name(field), (unsigned long long)got,
                     (unsigned long long)want);
        }
    }
    if (present == 0 && reply->usage_source == LLMLAB_USAGE_ESTIMATED) {
        present = output; /* nobody counted: what was said is measured */
    }
    if (usage->present != present) {
        fail_msg("%s: states %llx, not %llx", recorded->id,
                 (unsigned long long)usage->present,
                 (unsigned long long)present);
    }
}

static void
expect_money(const recorded_reply_t *recorded, const char *what, int has,
             const uint64_t cost[2], const llmlab__json_text_t *want)
{
    char text[LLMLAB_MONEY_TEXT];
    llmlab_money_t money = {cost[0], cost[1]};

    assert_true(has);
    (void)llmlab_money_format(money, text);
    if (strlen(text) != want->size ||
        memcmp(text, want->data, want->size) != 0) {
        fail_msg("%s: %s is %s, not %.*s", recorded->id, what, text,
                 (int)want->size, want->data);
    }
}

/* The member of the reply that a text in expected.jsonl is about. */
static const char *
text_of(const llmlab_reply_t *reply, llmlab_status_t status,
        const llmlab__json_text_t *key)
{
    const struct {
        const char *key;
        const char *text;
    } texts[] = {
        {"status", llmlab_status_name(status)},
        {"model", reply->model},
        {"finish_reason", reply->finish_reason},
        {"service_tier", reply->service_tier},
        {"speed", reply->speed},
        {"region", reply->region},
        {"error_type", reply->error_type},
        {"error_code", reply->error_code},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strlen(texts[i].key) == key->size &&
            memcmp(texts[i].key, key->data, key->size) == 0) {
            return texts[i].text;
        }
    }
    return NULL;
}

static int
number_of(const llmlab_reply_t *reply, const llmlab__json_text_t *key)
{
    if (llmlab__json_key_is(key, "complete")) {
        return reply->complete;
    }
    if (llmlab__json_key_is(key, "is_error")) {
        return reply->is_error;
    }
    if (llmlab__json_key_is(key, "is_byok")) {
        return reply->is_byok;
    }
    if (llmlab__json_key_is(key, "tool_calls")) {
        return reply->tool_calls;
    }
    assert_true(llmlab__json_key_is(key, "identity"));
    return reply->identity;
}

static void
expect_member(const recorded_reply_t *recorded, const llmlab_reply_t *reply,
              llmlab_status_t status, const llmlab__json_text_t *key,
              llmlab__json_t *json)
{
    llmlab__json_text_t text;
    bool flag;
    int64_t number;

    if (llmlab__json_key_is(key, "usage")) {
        expect_usage(recorded, reply, json);
    } else if (llmlab__json_string(json, &text)) {
        const char *got = text_of(reply, status, key);

        if (llmlab__json_key_is(key, "provider_cost_usd")) {
            expect_money(recorded, "the cost", reply->has_provider_cost,
                         reply->provider_cost, &text);
        } else if (llmlab__json_key_is(key, "upstream_cost_usd")) {
            expect_money(recorded, "the upstream cost",
                         reply->has_upstream_cost, reply->upstream_cost, &text);
        } else {
            assert_non_null(got);
            if (strlen(got) != text.size ||
                memcmp(got, text.data, text.size) != 0) {
                fail_msg("%s: %.*s is \"%s\", not \"%.*s\"", recorded->id,
                         (int)key->size, key->data, got, (int)text.size,
                         text.data);
            }
        }
    } else {
        if (llmlab__json_bool(json, &flag)) {
            number = flag;
        } else {
            assert_true(llmlab__json_number(json, &text));
            assert_int_equal(llmlab__json_int(&text, &number), 0);
        }
        if (number_of(reply, key) != number) {
            fail_msg("%s: %.*s is %d, not %d", recorded->id, (int)key->size,
                     key->data, number_of(reply, key), (int)number);
        }
    }
}

static void
expect_line(const char *line, size_t size, bool tell)
{
    const recorded_reply_t *recorded = NULL;
    llmlab_status_t status = LLMLAB_OK;
    llmlab_reply_t reply;
    llmlab__json_t json;
    llmlab__json_text_t key;
    llmlab__json_text_t id;

    llmlab__json_init(&json, line, size);
    assert_true(llmlab__json_enter_object(&json));
    while (llmlab__json_next_key(&json, &key)) {
        if (recorded == NULL) {
            assert_true(llmlab__json_key_is(&key, "id"));
            assert_true(llmlab__json_string(&json, &id));
            recorded = fixture(&id);
            status = read_whole(recorded, tell, &reply);
        } else {
            expect_member(recorded, &reply, status, &key, &json);
        }
    }
    assert_true(llmlab__json_at_end(&json));
}

static void
expect_all(bool tell)
{
    size_t size;
    size_t lines = 0;
    unsigned char *expected = file_read(FOLDER "/expected.jsonl", &size);

    assert_non_null(expected);
    for (size_t at = 0; at < size;) {
        const char *line = (const char *)expected + at;
        const char *end = memchr(line, '\n', size - at);

        assert_non_null(end);
        expect_line(line, (size_t)(end - line), tell);
        at += (size_t)(end - line) + 1;
        lines++;
    }
    free(expected);
    assert_int_equal(lines, fixtures.count);
}

static void
fixtures_are_read(void **state)
{
    (void)state;
    expect_all(true);
}

static void
fixtures_tell_their_format(void **state)
{
    (void)state;
    expect_all(false);
}

static void
every_split_reads_the_same(void **state)
{
    static const size_t one[] = {1};
    size_t random_steps[64];

    (void)state;
    srand(20260124);
    for (size_t i = 0; i < fixtures.count; i++) {
        const recorded_reply_t *recorded = &fixtures.replies[i];
        char want[REPLY_TEXT];
        char got[REPLY_TEXT];
        llmlab_reply_t reply;

        for (int tell = 0; tell < 2; tell++) {
            (void)reply_read_in_steps(recorded, tell, &recorded->body_size, 1,
                                      &reply);
            reply_describe(&reply, want);
            (void)reply_read_in_steps(recorded, tell, one, 1, &reply);
            reply_describe(&reply, got);
            assert_string_equal(got, want);
            if (recorded->chunk_count > 0) {
                (void)reply_read_in_steps(recorded, tell, recorded->chunk_lens,
                                          recorded->chunk_count, &reply);
                reply_describe(&reply, got);
                assert_string_equal(got, want);
            }
            for (int round = 0; round < 20; round++) {
                for (size_t k = 0; k < 64; k++) {
                    random_steps[k] = (size_t)(rand() % 200) + 1;
                }
                (void)reply_read_in_steps(recorded, tell, random_steps, 64,
                                          &reply);
                reply_describe(&reply, got);
                assert_string_equal(got, want);
            }
        }
    }
}

static void
whole_and_stream_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < fixtures.count; i++) {
        const recorded_reply_t *recorded = &fixtures.replies[i];
        char whole[REPLY_TEXT];
        char streamed[REPLY_TEXT];
        llmlab_reply_t reply;
        llmlab_status_t status;

        status = llmlab_usage_read(&reply, recorded->provider, recorded->api,
                                   recorded->body, recorded->body_size);
        reply_describe(&reply, whole);
        assert_int_equal(reply_read_in_steps(recorded, true,
                                             &recorded->body_size, 1, &reply),
                         status);
        reply_describe(&reply, streamed);
        assert_string_equal(streamed, whole);
    }
}

/* Cut after every byte: nothing is invented, and no cut looks complete unless
 * what is missing is white space or the last mark. */
static void
cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < fixtures.count; i++) {
        const recorded_reply_t *recorded = &fixtures.replies[i];
        llmlab_reply_t whole;

        (void)llmlab_usage_read(&whole, recorded->provider, recorded->api,
                                recorded->body, recorded->body_size);
        for (size_t size = 0; size < recorded->body_size; size += 7) {
            unsigned char *cut = malloc(size == 0 ? 1 : size);
            llmlab_reply_t reply;

            assert_non_null(cut);
            memcpy(cut, recorded->body, size);
            (void)llmlab_usage_read(&reply, recorded->provider, recorded->api,
                                    cut, size);
            free(cut);
            if (strcmp(recorded->kind, "json") == 0 && reply.complete) {
                assert_true(recorded->body_size - size < 4);
            }
            if (reply.complete) {
                assert_true(reply.usage.present == whole.usage.present);
            }
        }
    }
}

/* OpenRouter states what its upstream took in any case; only with a key of the
 * user's own it comes on top of the charge. */
static void
upstream_charges_count_with_a_key_of_ones_own(void **state)
{
    static const char *const flags[] = {"", "\"is_byok\":false,",
                                        "\"is_byok\":true,"};

    (void)state;
    for (int i = 0; i < 3; i++) {
        llmlab_reply_t reply;
        char body[320];
        int size = snprintf(
            body, sizeof(body),
            "{\"object\":\"chat.completion\",\"model\":\"openai/gpt-4o\","
            "\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":9,"
            "\"total_tokens\":109,\"cost\":0.00014,%s\"cost_details\":{"
            "\"upstream_inference_cost\":0.00013}}}",
            flags[i]);

        assert_int_equal(
            llmlab_usage_read(&reply, "openrouter", NULL, body, (size_t)size),
            LLMLAB_OK);
        assert_int_equal(reply.has_provider_cost, 1);
        assert_int_equal(reply.provider_cost[0], UINT64_C(140000000000));
        assert_int_equal(reply.is_byok, i == 2);
        assert_int_equal(reply.has_upstream_cost, i == 2);
        assert_int_equal(reply.upstream_cost[0],
                         i == 2 ? UINT64_C(130000000000) : 0);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixtures_are_read),
        cmocka_unit_test(fixtures_tell_their_format),
        cmocka_unit_test(every_split_reads_the_same),
        cmocka_unit_test(whole_and_stream_agree),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(upstream_charges_count_with_a_key_of_ones_own),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
