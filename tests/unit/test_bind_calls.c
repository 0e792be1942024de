/* The calls of tests/fixtures/calls through the flat layer: what the bindings
 * record, the suites of all languages expect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <llmlab/span.h>

#include "bind/llmlab_bind.h"

#define MEMORY "{\"exporter\":\"memory\",\"enabled\":true}"
#define FILES  LLMLAB_SOURCE_DIR "/tests/fixtures/calls/*.json"

static cJSON *
parse_file(const char *path)
{
    static char text[65536];
    FILE *file = fopen(path, "rb");
    size_t size;
    cJSON *json;

    assert_non_null(file);
    size = fread(text, 1, sizeof text, file);
    assert_true(size < sizeof text);
    fclose(file);
    json = cJSON_ParseWithLength(text, size);
    if (json == NULL) {
        fail_msg("%s is no JSON", path);
    }
    return json;
}

static cJSON *
take(llmlab_bind_text_t text)
{
    size_t size = 0;
    const char *data = llmlab_bind_text_data(text, &size);
    cJSON *json;

    assert_true(text > 0);
    json = cJSON_ParseWithLength(data, size);
    assert_non_null(json);
    assert_int_equal(llmlab_bind_text_free(text), LLMLAB_OK);
    return json;
}

static cJSON *
item(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *
text_of(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(item(object, name));

    return text == NULL ? "" : text;
}

/* The reply as it comes: in pieces of a size that cuts lines and characters. */
static void
feed(int64_t span, const cJSON *fixture, const char *provider, const char *api,
     size_t piece)
{
    const char *bytes = text_of(fixture, "stream");
    size_t size = strlen(bytes);
    int64_t stream =
        llmlab_bind_stream_new(provider, strlen(provider), api, strlen(api));
    cJSON *reply;

    assert_true(stream > 0);
    for (size_t at = 0; at < size; at += piece) {
        assert_true(llmlab_bind_stream_feed(stream, bytes + at,
                                            size - at < piece ? size - at
                                                              : piece) >= 0);
    }
    reply = take(llmlab_bind_stream_reply(stream));
    llmlab_bind_set_stream_reply(span, stream);
    if (!cJSON_IsTrue(item(reply, "complete")) &&
        cJSON_IsNull(item(reply, "error")) &&
        cJSON_IsNull(item(reply, "finish_reason"))) {
        assert_int_equal(llmlab_bind_set_outcome(span, LLMLAB_CANCELLED),
                         LLMLAB_OK);
    }
    cJSON_Delete(reply);
    assert_int_equal(llmlab_bind_stream_destroy(stream), LLMLAB_OK);
}

static void
call(int client, const cJSON *fixture, size_t piece)
{
    const char *provider = text_of(fixture, "provider");
    const char *api = text_of(fixture, "api");
    char *request = cJSON_PrintUnformatted(item(fixture, "request"));
    int64_t span = llmlab_bind_begin(client, 0, "call", 4, LLMLAB_SPAN_LLM);

    assert_true(span > 0);
    assert_int_equal(llmlab_bind_set_request(span, provider, strlen(provider),
                                             api, strlen(api), request,
                                             strlen(request)),
                     LLMLAB_OK);
    if (item(fixture, "stream") != NULL) {
        feed(span, fixture, provider, api, piece);
    } else {
        char *body = cJSON_PrintUnformatted(item(fixture, "reply"));

        llmlab_bind_set_response(span, provider, strlen(provider), api,
                                 strlen(api), body, strlen(body));
        cJSON_free(body);
    }
    cJSON_free(request);
    assert_int_equal(llmlab_bind_end(span), LLMLAB_OK);
}

static void
check_text(const cJSON *fixture, const char *name, const cJSON *expected,
           const cJSON *found)
{
    const char *want = cJSON_GetStringValue(expected);
    const char *have = cJSON_GetStringValue(found);

    if (expected == NULL || (have != NULL && strcmp(want, have) == 0)) {
        return;
    }
    fail_msg("%s: %s is %s, not %s", text_of(fixture, "id"), name,
             have == NULL ? "absent" : have, want);
}

static void
check(const cJSON *fixture, const cJSON *step)
{
    const cJSON *expected = item(fixture, "expected");
    const cJSON *error = item(expected, "error");
    const cJSON *detail = item(step, "cost_detail");

    check_text(fixture, "outcome", item(expected, "outcome"),
               item(step, "status"));
    check_text(fixture, "model", item(expected, "model"), item(step, "model"));
    check_text(fixture, "cost", item(expected, "cost_usd"), item(step, "cost"));
    check_text(fixture, "usage source", item(expected, "usage_source"),
               item(detail, "usage_source"));
    check_text(fixture, "error type", item(error, "type"),
               item(item(step, "error"), "type"));
    check_text(fixture, "error code", item(error, "code"),
               item(item(step, "error"), "code"));
    if (item(expected, "usage") != NULL &&
        !cJSON_Compare(item(expected, "usage"), item(step, "usage"), 1)) {
        char *usage = cJSON_PrintUnformatted(item(step, "usage"));

        fail_msg("%s: usage is %s", text_of(fixture, "id"),
                 usage == NULL ? "absent" : usage);
    }
}

static void
test_calls(void **state)
{
    static const size_t pieces[] = {1, 7, 37, 65536};
    int client = llmlab_bind_open(MEMORY, sizeof(MEMORY) - 1);
    glob_t files;

    (void)state;
    assert_true(client > 0);
    assert_int_equal(glob(FILES, 0, NULL, &files), 0);
    assert_true(files.gl_pathc >= 10);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        cJSON *fixture = parse_file(files.gl_pathv[i]);

        for (size_t k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
            cJSON *batch;

            call(client, fixture, pieces[k]);
            cJSON_Delete(take(llmlab_bind_flush(client, 5000)));
            batch = take(llmlab_bind_take_batch(client));
            check(
                fixture,
                cJSON_GetArrayItem(
                    item(cJSON_GetArrayItem(item(batch, "traces"), 0), "steps"),
                    0));
            cJSON_Delete(batch);
        }
        cJSON_Delete(fixture);
    }
    globfree(&files);
    assert_int_equal(llmlab_bind_close(client, 1000), LLMLAB_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
