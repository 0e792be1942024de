/* Real replies of thirty providers, where they are at hand: nobody on the
 * project wrote them. */
/* llmlab-test: timeout=300 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <llmlab/status.h>
#include <llmlab/usage.h>

#include "support/replies.h"

#define FOLDER LLMLAB_SOURCE_DIR "/../shared/data/responses"

static recorded_replies_t data;

static int
load(void **state)
{
    (void)state;
    if (access(FOLDER "/index.jsonl", R_OK) == 0) {
        replies_load(&data, FOLDER);
    }
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    replies_free(&data);
    return 0;
}

static void
need_data(const char *name)
{
    if (data.count == 0) {
        printf("SKIP %s: ../shared/data is not here\n", name);
        skip();
    }
}

/* These state how many tokens a text has, or how many a cache holds, but use
 * none. */
static bool
is_no_call(const recorded_reply_t *recorded)
{
    return strcmp(recorded->api, "count_tokens") == 0 ||
           strcmp(recorded->api, "cached_contents") == 0;
}

static void
no_usage_is_left_unread(void **state)
{
    size_t read = 0;

    (void)state;
    need_data("no_usage_is_left_unread");
    for (size_t i = 0; i < data.count; i++) {
        const recorded_reply_t *recorded = &data.replies[i];
        llmlab_reply_t reply;
        llmlab_status_t status =
            llmlab_usage_read(&reply, recorded->provider, recorded->api,
                              recorded->body, recorded->body_size);

        llmlab_reply_set_url(&reply, recorded->url, strlen(recorded->url));
        for (size_t k = 0; k < recorded->header_count; k++) {
            llmlab_reply_set_header(&reply, recorded->header_names[k],
                                    recorded->header_values[k]);
        }
        if (recorded->status >= 300) {
            continue;
        }
        if (status != LLMLAB_OK && status != LLMLAB_ENOUSAGE) {
            fail_msg("%s: %s", recorded->id, llmlab_status_detail());
        }
        if (recorded->has_usage && !is_no_call(recorded) &&
            reply.usage.present == 0 && !reply.has_provider_cost) {
            fail_msg("%s (%s, %s) is unread", recorded->id, recorded->provider,
                     recorded->api);
        }
        read += reply.usage.present != 0;
    }
    printf("%zu of %zu replies state usage\n", read, data.count);
}

static void
every_split_reads_the_same(void **state)
{
    static const size_t one[] = {1};
    size_t steps[64];
    size_t streams = 0;

    (void)state;
    need_data("every_split_reads_the_same");
    srand(4711);
    for (size_t i = 0; i < data.count; i++) {
        const recorded_reply_t *recorded = &data.replies[i];
        bool is_stream = strcmp(recorded->kind, "json") != 0;
        char want[REPLY_TEXT];
        char got[REPLY_TEXT];
        llmlab_reply_t reply;

        (void)reply_read_in_steps(recorded, true, &recorded->body_size, 1,
                                  &reply);
        reply_describe(&reply, want);
        (void)reply_read_in_steps(recorded, true, one, 1, &reply);
        reply_describe(&reply, got);
        assert_string_equal(got, want);
        if (recorded->chunk_count > 0) {
            (void)reply_read_in_steps(recorded, true, recorded->chunk_lens,
                                      recorded->chunk_count, &reply);
            reply_describe(&reply, got);
            assert_string_equal(got, want);
        }
        for (int round = 0; round < (is_stream ? 4 : 1); round++) {
            for (size_t k = 0; k < 64; k++) {
                steps[k] = (size_t)(rand() % (round * 300 + 20)) + 1;
            }
            (void)reply_read_in_steps(recorded, true, steps, 64, &reply);
            reply_describe(&reply, got);
            assert_string_equal(got, want);
        }
        (void)llmlab_usage_read(&reply, recorded->provider, recorded->api,
                                recorded->body, recorded->body_size);
        reply_describe(&reply, got);
        assert_string_equal(got, want);
        streams += is_stream;
    }
    printf("%zu replies, %zu of them streams\n", data.count, streams);
}

/* Time to first token: a stream with more output than thoughts, which are not
 * always shown, has seen its first token. */
static void
streams_have_started(void **state)
{
    (void)state;
    need_data("streams_have_started");
    for (size_t i = 0; i < data.count; i++) {
        const recorded_reply_t *recorded = &data.replies[i];
        llmlab_usage_stream_t *stream =
            llmlab_usage_stream_new(recorded->provider, recorded->api);
        llmlab_reply_t reply;
        uint64_t output = 0;
        uint64_t thoughts = 0;

        assert_non_null(stream);
        (void)llmlab_usage_stream_feed(stream, recorded->body,
                                       recorded->body_size);
        (void)llmlab_usage_stream_reply(stream, &reply);
        (void)llmlab_usage_get(&reply.usage, LLMLAB_USAGE_OUTPUT_TOKENS,
                               &output);
        (void)llmlab_usage_get(&reply.usage, LLMLAB_USAGE_REASONING_TOKENS,
                               &thoughts);
        if (strcmp(recorded->kind, "json") != 0 && output > thoughts + 16 &&
            !llmlab_usage_stream_started(stream)) {
            fail_msg("%s (%s, %s) has not started", recorded->id,
                     recorded->provider, recorded->api);
        }
        llmlab_usage_stream_destroy(stream);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_usage_is_left_unread),
        cmocka_unit_test(every_split_reads_the_same),
        cmocka_unit_test(streams_have_started),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
