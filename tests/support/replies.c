#include "support/replies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_scan.h"

unsigned char *
file_read(const char *path, size_t *out_size)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes = NULL;
    long size;

    if (file == NULL) {
        return NULL;
    }
    if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 &&
        fseek(file, 0, SEEK_SET) == 0) {
        *out_size = (size_t)size;
        bytes = malloc(size == 0 ? 1 : (size_t)size);
        if (bytes != NULL &&
            fread(bytes, 1, (size_t)size, file) != (size_t)size) {
            free(bytes);
            bytes = NULL;
        }
    }
    fclose(file);
    return bytes;
}

static char *
copy_text(const llmlab__json_text_t *text)
{
    size_t size = llmlab__json_unescape(text, NULL, 0);
    char *copy = malloc(size + 1);

    assert_non_null(copy);
    (void)llmlab__json_unescape(text, copy, size + 1);
    return copy;
}

/* A string, or what stands for a missing one. */
static char *
read_text(llmlab__json_t *json)
{
    llmlab__json_text_t text = {"", 0, false};

    if (!llmlab__json_string(json, &text)) {
        assert_true(llmlab__json_skip(json));
        text.size = 0;
    }
    return copy_text(&text);
}

static void
read_headers(llmlab__json_t *json, recorded_reply_t *reply)
{
    llmlab__json_text_t key;

    if (!llmlab__json_enter_object(json)) {
        assert_true(llmlab__json_skip(json));
        return;
    }
    while (llmlab__json_next_key(json, &key)) {
        assert_true(reply->header_count < REPLY_HEADERS);
        reply->header_names[reply->header_count] = copy_text(&key);
        reply->header_values[reply->header_count] = read_text(json);
        reply->header_count++;
    }
}

static void
read_chunks(llmlab__json_t *json, recorded_reply_t *reply)
{
    llmlab__json_text_t number;
    uint64_t size;

    if (!llmlab__json_enter_array(json)) {
        assert_true(llmlab__json_skip(json));
        return;
    }
    while (llmlab__json_next_element(json)) {
        assert_true(llmlab__json_number(json, &number));
        assert_int_equal(llmlab__json_count(&number, &size), 0);
        reply->chunk_lens =
            realloc(reply->chunk_lens,
                    (reply->chunk_count + 1) * sizeof(*reply->chunk_lens));
        assert_non_null(reply->chunk_lens);
        reply->chunk_lens[reply->chunk_count++] = (size_t)size;
    }
}

static void
read_row(recorded_reply_t *reply, const char *folder, const char *line,
         size_t size)
{
    char path[1024];
    char *file = NULL;
    llmlab__json_t json;
    llmlab__json_text_t key;
    int64_t status;

    memset(reply, 0, sizeof(*reply));
    llmlab__json_init(&json, line, size);
    assert_true(llmlab__json_enter_object(&json));
    while (llmlab__json_next_key(&json, &key)) {
        if (llmlab__json_key_is(&key, "id")) {
            reply->id = read_text(&json);
        } else if (llmlab__json_key_is(&key, "provider")) {
            reply->provider = read_text(&json);
        } else if (llmlab__json_key_is(&key, "api")) {
            reply->api = read_text(&json);
        } else if (llmlab__json_key_is(&key, "url")) {
            reply->url = read_text(&json);
        } else if (llmlab__json_key_is(&key, "kind")) {
            reply->kind = read_text(&json);
        } else if (llmlab__json_key_is(&key, "response_file")) {
            file = read_text(&json);
        } else if (llmlab__json_key_is(&key, "status")) {
            assert_true(llmlab__json_number(&json, &key));
            assert_int_equal(llmlab__json_int(&key, &status), 0);
            reply->status = (int)status;
        } else if (llmlab__json_key_is(&key, "usage")) {
            reply->has_usage = llmlab__json_peek(&json) == LLMLAB__JSON_OBJECT;
            assert_true(llmlab__json_skip(&json));
        } else if (llmlab__json_key_is(&key, "headers")) {
            read_headers(&json, reply);
        } else if (llmlab__json_key_is(&key, "chunk_lens")) {
            read_chunks(&json, reply);
        } else {
            assert_true(llmlab__json_skip(&json));
        }
    }
    assert_true(llmlab__json_at_end(&json));
    assert_non_null(file);
    snprintf(path, sizeof(path), "%s/%s", folder, file);
    free(file);
    reply->body = file_read(path, &reply->body_size);
    if (reply->body == NULL) {
        fail_msg("%s is not there", path);
    }
}

void
replies_load(recorded_replies_t *out, const char *folder)
{
    char path[1024];
    size_t size;
    unsigned char *index;

    memset(out, 0, sizeof(*out));
    snprintf(path, sizeof(path), "%s/index.jsonl", folder);
    index = file_read(path, &size);
    assert_non_null(index);
    for (size_t at = 0; at < size;) {
        const char *line = (const char *)index + at;
        const char *end = memchr(line, '\n', size - at);
        size_t length = end == NULL ? size - at : (size_t)(end - line);

        out->replies =
            realloc(out->replies, (out->count + 1) * sizeof(*out->replies));
        assert_non_null(out->replies);
        read_row(&out->replies[out->count++], folder, line, length);
        at += length + 1;
    }
    free(index);
}

void
replies_free(recorded_replies_t *replies)
{
    for (size_t i = 0; i < replies->count; i++) {
        recorded_reply_t *reply = &replies->replies[i];

        for (size_t k = 0; k < reply->header_count; k++) {
            free(reply->header_names[k]);
            free(reply->header_values[k]);
        }
        free(reply->id);
        free(reply->provider);
        free(reply->api);
        free(reply->url);
        free(reply->kind);
        free(reply->chunk_lens);
        free(reply->body);
    }
    free(replies->replies);
}

void
reply_describe(const llmlab_reply_t *reply, char out[REPLY_TEXT])
{
    int used = snprintf(
        out, REPLY_TEXT,
        "complete=%d stream=%d error=%d/%s/%s tools=%d identity=%d source=%d "
        "cost=%d:%llu.%llu upstream=%d:%llu.%llu byok=%d headers=%d "
        "provider=%s api=%s model=%s id=%s finish=%s tier=%s speed=%s "
        "region=%s",
        reply->complete, reply->is_stream, reply->is_error, reply->error_type,
        reply->error_code, reply->tool_calls, reply->identity,
        (int)reply->usage_source, reply->has_provider_cost,
        (unsigned long long)reply->provider_cost[1],
        (unsigned long long)reply->provider_cost[0], reply->has_upstream_cost,
        (unsigned long long)reply->upstream_cost[1],
        (unsigned long long)reply->upstream_cost[0], reply->is_byok,
        reply->usage_in_headers, reply->provider, reply->api, reply->model,
        reply->response_id, reply->finish_reason, reply->service_tier,
        reply->speed, reply->region);

    for (int i = 0; i < LLMLAB_USAGE_FIELDS; i++) {
        uint64_t count;

        if (used < REPLY_TEXT &&
            llmlab_usage_get(&reply->usage, (llmlab_usage_field_t)i, &count)) {
            used +=
                snprintf(out + used, (size_t)(REPLY_TEXT - used), " %s=%llu",
                         llmlab_usage_field_name((llmlab_usage_field_t)i),
                         (unsigned long long)count);
        }
    }
}

llmlab_status_t
reply_read_in_steps(const recorded_reply_t *recorded, bool tell,
                    const size_t *steps, size_t step_count, llmlab_reply_t *out)
{
    llmlab_usage_stream_t *stream = llmlab_usage_stream_new(
        tell ? recorded->provider : NULL, tell ? recorded->api : NULL);
    llmlab_status_t status;
    size_t at = 0;

    assert_non_null(stream);
    for (size_t i = 0; at < recorded->body_size; i++) {
        size_t size = steps[i % step_count];
        unsigned char *piece;

        if (size > recorded->body_size - at) {
            size = recorded->body_size - at;
        }
        /* A copy, so that a reader that keeps or overruns it is caught. */
        piece = malloc(size == 0 ? 1 : size);
        assert_non_null(piece);
        memcpy(piece, recorded->body + at, size);
        (void)llmlab_usage_stream_feed(stream, piece, size);
        free(piece);
        at += size;
    }
    status = llmlab_usage_stream_reply(stream, out);
    llmlab_usage_stream_destroy(stream);
    return status;
}
