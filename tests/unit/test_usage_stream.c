/* The framings of a stream, and what a stream reader may cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include <llmlab/status.h>
#include <llmlab/usage.h>

#include "support/replies.h"

static uint64_t
input_of(const llmlab_reply_t *reply)
{
    uint64_t count = UINT64_MAX;

    (void)llmlab_usage_get(&reply->usage, LLMLAB_USAGE_INPUT_TOKENS, &count);
    return count;
}

static llmlab_status_t
read_bytes(llmlab_reply_t *reply, const void *bytes, size_t size)
{
    llmlab_usage_stream_t *stream = llmlab_usage_stream_new("openai", NULL);
    char whole[REPLY_TEXT];
    char single[REPLY_TEXT];
    llmlab_status_t status;

    assert_non_null(stream);
    for (size_t i = 0; i < size; i++) {
        (void)llmlab_usage_stream_feed(stream, (const char *)bytes + i, 1);
    }
    (void)llmlab_usage_stream_reply(stream, reply);
    reply_describe(reply, single);
    llmlab_usage_stream_reset(stream, "openai", NULL);
    (void)llmlab_usage_stream_feed(stream, bytes, size);
    status = llmlab_usage_stream_reply(stream, reply);
    reply_describe(reply, whole);
    assert_string_equal(single, whole);
    llmlab_usage_stream_destroy(stream);
    return status;
}

/* --- SSE -------------------------------------------------------------------
 */

#define USAGE "{\"choices\":[],\"usage\":{\"prompt_tokens\":7}}"

static void
sse_forms(void **state)
{
    static const char *const streams[] = {
        "data: " USAGE "\n\ndata: [DONE]\n\n",
        "data:" USAGE "\n\ndata:[DONE]\n\n",
        "data: " USAGE "\r\n\r\ndata: [DONE]\r\n\r\n",
        "data: " USAGE "\r\rdata: [DONE]\r\r",
        "\xef\xbb\xbf"
        "data: " USAGE "\n\ndata: [DONE]\n\n",
        ": hello\n\n: again\nevent: x\nid: 1\nretry: 5\n"
        "data: " USAGE "\n: inside\n\ndata: [DONE]\n\n",
        "data: {\"choices\":[],\ndata: \"usage\":\ndata:{\"prompt_tokens\":7}}"
        "\n\ndata: [DONE]\n\n",
        "data\n\ndata: \n\ndata: " USAGE "\n\ndata: [DONE]\n\n",
        "dat: no\nxdata: {]\ndatas: {]\n\ndata: " USAGE "\n\ndata: [DONE] \n\n",
        "data: " USAGE "\n\ndata: [DONE]",
        "event: done\ndata: " USAGE "\n\n\n\n\ndata: [DONE]\n\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        llmlab_reply_t reply;

        if (read_bytes(&reply, streams[i], strlen(streams[i])) != LLMLAB_OK) {
            fail_msg("%zu: %s", i, llmlab_status_detail());
        }
        assert_int_equal(input_of(&reply), 7);
        assert_true(reply.is_stream);
        if (!reply.complete) {
            fail_msg("%zu is not complete", i);
        }
    }
}

/* A byte order mark is one at the very beginning only. */
static void
odd_beginnings(void **state)
{
    static const char *const texts[] = {
        " \xef\xbb\xbf{}", "\xef\xbb{}",   "\xef\xbb\xbf\xef\xbb\xbf{}",
        "\xef 0 \xef",     " \xef 0 \xef",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        llmlab_reply_t reply;

        (void)read_bytes(&reply, texts[i], strlen(texts[i]));
    }
}

static void
a_malformed_event_is_skipped(void **state)
{
    static const char *const events[] = {
        "data: {\"usage\":{\"prompt_tokens\":9},]\n\n",
        "data: {\"usage\":{\"prompt_tokens\":9}\n\n",
        "data: {\"usage\":{\"prompt_tokens\":9}} trailing\n\n",
        "data: {\"usage\":{\"prompt_tokens\":9}}{}\n\n",
        "data: [DONE\n\n",
        "data: [DONE]x\n\n",
        "data: hello\n\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        char stream[512];
        llmlab_reply_t reply;

        snprintf(stream, sizeof(stream), "data: %s\n\n%sdata: %s\n\n", USAGE,
                 events[i], "{\"model\":\"m\"}");
        assert_int_equal(read_bytes(&reply, stream, strlen(stream)),
                         LLMLAB_EPARSE);
        assert_non_null(strstr(llmlab_status_detail(), "of event 2"));
        /* What it said is taken back; what comes after it is read. */
        assert_int_equal(input_of(&reply), 7);
        assert_string_equal(reply.model, "m");
        assert_false(reply.complete);
    }
}

static void
a_cut_stream_is_incomplete(void **state)
{
    static const char stream[] =
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"usa";
    llmlab_reply_t reply;

    (void)state;
    assert_int_equal(read_bytes(&reply, stream, sizeof(stream) - 1),
                     LLMLAB_ENOUSAGE);
    assert_false(reply.complete);
}

static void
started_with_the_first_token(void **state)
{
    static const char *const before[] = {
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\","
        "\"content\":\"\"}}]}\n\n",
        ": comment\n\n",
    };
    static const char token[] =
        "data: {\"choices\":[{\"delta\":{\"content\":\"H";
    llmlab_usage_stream_t *stream = llmlab_usage_stream_new(NULL, NULL);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        (void)llmlab_usage_stream_feed(stream, before[i], strlen(before[i]));
        assert_false(llmlab_usage_stream_started(stream));
    }
    (void)llmlab_usage_stream_feed(stream, token, sizeof(token) - 1);
    (void)llmlab_usage_stream_feed(stream, "i\"}}]}", 6);
    assert_true(llmlab_usage_stream_started(stream));
    llmlab_usage_stream_destroy(stream);
}

/* --- NDJSON ----------------------------------------------------------------
 */

static void
a_malformed_line_is_skipped(void **state)
{
    static const char lines[] =
        "{\"model\":\"m\",\"created_at\":\"t\",\"done\":false}\n"
        "{\"model\":\"bad\",\"done\":false]}\n"
        "{\"model\":\"m\",\"done\":true,\"prompt_eval_count\":7}\n";
    llmlab_reply_t reply;

    (void)state;
    assert_int_equal(read_bytes(&reply, lines, sizeof(lines) - 1),
                     LLMLAB_EPARSE);
    assert_int_equal(input_of(&reply), 7);
    assert_string_equal(reply.model, "m");
}

/* --- AWS's event stream ----------------------------------------------------
 */

static size_t
put_u32(unsigned char *out, uint32_t value)
{
    out[0] = (unsigned char)(value >> 24);
    out[1] = (unsigned char)(value >> 16);
    out[2] = (unsigned char)(value >> 8);
    out[3] = (unsigned char)value;
    return 4;
}

/* headers_size bytes of headers, then the payload. */
static size_t
put_frame(unsigned char *out, const void *headers, size_t headers_size,
          const char *payload)
{
    size_t payload_size = strlen(payload);
    size_t size = 12 + headers_size + payload_size;

    put_u32(out, (uint32_t)size + 4);
    put_u32(out + 4, (uint32_t)headers_size);
    put_u32(out + 8, (uint32_t)crc32(0, out, 8));
    memcpy(out + 12, headers, headers_size);
    memcpy(out + 12 + headers_size, payload, payload_size);
    return size + put_u32(out + size, (uint32_t)crc32(0, out, (uInt)size));
}

#define HEADER                      \
    "\x0d:message-type\x07\x00\x05" \
    "event"
#define CONVERSE                                        \
    "{\"usage\":{\"inputTokens\":7,\"outputTokens\":1," \
    "\"totalTokens\":8},\"metrics\":{\"latencyMs\":3}}"

static void
event_stream(void **state)
{
    /* One of each type of header value. */
    static const char headers[] = HEADER
        "\x01"
        "a\x00"
        "\x01"
        "b\x01"
        "\x01"
        "c\x02\x7f"
        "\x01"
        "d\x03\x01\x02"
        "\x01"
        "e\x04\x01\x02\x03\x04"
        "\x01"
        "f\x05\x01\x02\x03\x04\x05\x06\x07\x08"
        "\x01"
        "g\x06\x00\x03\x01\x02\x03"
        "\x01"
        "h\x07\x00\x00"
        "\x01"
        "i\x08\x01\x02\x03\x04\x05\x06\x07\x08"
        "\x01"
        "j\x09\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10";
    unsigned char bytes[1024];
    llmlab_reply_t reply;
    size_t size;

    (void)state;
    size = put_frame(bytes, headers, sizeof(headers) - 1, CONVERSE);
    assert_int_equal(read_bytes(&reply, bytes, size), LLMLAB_OK);
    assert_int_equal(input_of(&reply), 7);
    assert_true(reply.complete);
    assert_true(reply.is_stream);
    size += put_frame(bytes + size, "", 0, "");
    assert_int_equal(read_bytes(&reply, bytes, size), LLMLAB_OK);
}

static void
every_flipped_bit_is_seen(void **state)
{
    static const char headers[] = HEADER;
    unsigned char bytes[512];
    size_t size = put_frame(bytes, headers, sizeof(headers) - 1, CONVERSE);

    (void)state;
    for (size_t i = 0; i < size * 8; i++) {
        llmlab_reply_t reply;

        bytes[i / 8] ^= (unsigned char)(1u << (i % 8));
        (void)llmlab_usage_read(&reply, "bedrock", "converse_stream", bytes,
                                size);
        assert_false(reply.complete);
        if (i >= 64) { /* else its length is another, and it just waits */
            assert_true(input_of(&reply) == UINT64_MAX);
        }
        bytes[i / 8] ^= (unsigned char)(1u << (i % 8));
    }
}

static void
bad_frames(void **state)
{
    static const struct {
        const char *headers;
        size_t size;
    } cases[] = {
        {"\x05"
         "ab",
         3},
        {"\x01"
         "a\x0a",
         3},
        {"\x01"
         "a\x07\x00\x09xyz",
         8},
    };
    unsigned char bytes[256];
    llmlab_reply_t reply;
    size_t size;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size = put_frame(bytes, cases[i].headers, cases[i].size, CONVERSE);
        assert_int_equal(read_bytes(&reply, bytes, size), LLMLAB_EPARSE);
        assert_true(input_of(&reply) == UINT64_MAX);
    }
    /* Sizes that contradict one another, with a right CRC. */
    put_u32(bytes, 20);
    put_u32(bytes + 4, 5);
    put_u32(bytes + 8, (uint32_t)crc32(0, bytes, 8));
    assert_int_equal(read_bytes(&reply, bytes, 24), LLMLAB_EPARSE);
    put_u32(bytes, 0x7fffffff & 0x01ffffff);
    put_u32(bytes + 4, 0);
    put_u32(bytes + 8, (uint32_t)crc32(0, bytes, 8));
    assert_int_equal(read_bytes(&reply, bytes, 24), LLMLAB_EPARSE);
}

/* A fault in the reply inside takes back all that the event said, also what
 * stands behind it. */
static void
a_malformed_chunk_is_skipped(void **state)
{
    static const char headers[] = HEADER;
    unsigned char bytes[1024];
    llmlab_reply_t reply;
    size_t size;

    (void)state;
    size = put_frame(bytes, headers, sizeof(headers) - 1,
                     "{\"bytes\":\"eyJhIjp4fQ==\"," /* {"a":x} */
                     "\"stopReason\":\"end_turn\"}");
    size += put_frame(bytes + size, headers, sizeof(headers) - 1, CONVERSE);
    assert_int_equal(read_bytes(&reply, bytes, size), LLMLAB_EPARSE);
    assert_string_equal(reply.finish_reason, "");
    assert_false(reply.complete);
}

/* --- cost ------------------------------------------------------------------
 */

/* A megabytes-long image in one event needs no more memory than a word. */
static void
huge_events(void **state)
{
    const size_t image_size = 10 * 1000 * 1000;
    static const char head[] =
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"inlineData\":"
        "{\"mimeType\":\"image/png\",\"data\":\"";
    static const char tail[] =
        "\"}}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":"
        "{\"promptTokenCount\":7,\"candidatesTokenCount\":1290},"
        "\"modelVersion\":\"gemini-2.5-flash-image\"}\n\n";
    llmlab_usage_stream_t *stream = llmlab_usage_stream_new(NULL, NULL);
    char piece[4096];
    llmlab_reply_t reply;

    (void)state;
    memset(piece, 'A', sizeof(piece));
    (void)llmlab_usage_stream_feed(stream, head, sizeof(head) - 1);
    for (size_t done = 0; done < image_size; done += sizeof(piece)) {
        (void)llmlab_usage_stream_feed(stream, piece, sizeof(piece));
    }
    (void)llmlab_usage_stream_feed(stream, tail, sizeof(tail) - 1);
    assert_int_equal(llmlab_usage_stream_reply(stream, &reply), LLMLAB_OK);
    assert_int_equal(input_of(&reply), 7);
    assert_string_equal(reply.model, "gemini-2.5-flash-image");
    assert_string_equal(reply.provider, "gemini");
    assert_true(reply.complete);
    llmlab_usage_stream_destroy(stream);
}

static void
a_reader_is_used_again(void **state)
{
    static const char broken[] = "data: " USAGE "\n\ndata: {]\n\n";
    static const char next[] =
        "{\"model\":\"m\",\"done\":true,\"eval_count\":2}";
    llmlab_usage_stream_t *stream =
        llmlab_usage_stream_new("openai", "chat_completions");
    llmlab_reply_t reply;

    (void)state;
    assert_int_equal(
        llmlab_usage_stream_feed(stream, broken, sizeof(broken) - 1),
        LLMLAB_EPARSE);
    llmlab_usage_stream_reset(stream, "ollama", "chat");
    assert_int_equal(llmlab_usage_stream_feed(stream, next, sizeof(next) - 1),
                     LLMLAB_OK);
    assert_int_equal(llmlab_usage_stream_reply(stream, &reply), LLMLAB_OK);
    assert_string_equal(reply.provider, "ollama");
    assert_true(input_of(&reply) == UINT64_MAX);
    assert_true(reply.complete);
    llmlab_usage_stream_destroy(stream);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(sse_forms),
        cmocka_unit_test(odd_beginnings),
        cmocka_unit_test(a_malformed_event_is_skipped),
        cmocka_unit_test(a_cut_stream_is_incomplete),
        cmocka_unit_test(started_with_the_first_token),
        cmocka_unit_test(a_malformed_line_is_skipped),
        cmocka_unit_test(event_stream),
        cmocka_unit_test(every_flipped_bit_is_seen),
        cmocka_unit_test(bad_frames),
        cmocka_unit_test(a_malformed_chunk_is_skipped),
        cmocka_unit_test(huge_events),
        cmocka_unit_test(a_reader_is_used_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
