/* Documents, handles and strings from another language, whatever they hold.
 * The first byte chooses the function, the rest is its text. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <llmlab/span.h>

#include "bind/llmlab_bind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Here only in a build with the leak checker. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static int client;

static void
drop(llmlab_bind_text_t text)
{
    if (text > 0) {
        llmlab_bind_text_free(text);
    }
}

/* A handle that the input invents: none of them may do harm. */
static int64_t
invent(const char *text, size_t size)
{
    int64_t handle = 0;

    memcpy(&handle, text, size < sizeof handle ? size : sizeof handle);
    return handle;
}

static void
try_span(const char *text, size_t size)
{
    size_t half = size / 2;
    int64_t span = llmlab_bind_begin(client, 0, text, half, LLMLAB_SPAN_LLM);

    llmlab_bind_set_string(span, text, half, text + half, size - half);
    llmlab_bind_set_attributes(span, text, size);
    llmlab_bind_set_usage(span, text, size);
    llmlab_bind_set_estimated_usage(span, text, size);
    llmlab_bind_set_request(span, NULL, 0, NULL, 0, text, size);
    llmlab_bind_set_search_context(span, text, size);
    llmlab_bind_tokens_estimate(text, half, text, size);
    llmlab_bind_set_cost(span, text, size);
    llmlab_bind_set_model(span, text, half, text + half, size - half);
    llmlab_bind_set_response(span, NULL, 0, NULL, 0, text, size);
    drop(llmlab_bind_span_cost(span));
    llmlab_bind_release(span);
    drop(llmlab_bind_traceparent(span));
    drop(llmlab_bind_identity(span));
}

/* One client for all inputs. The leak checker does not see into mappings,
 * where parts of it live. */
static void
open_client(void)
{
    static const char settings[] =
        "{\"exporter\":\"file\",\"exporter.file\":\"/dev/null\"}";

    if (__lsan_disable != NULL) {
        __lsan_disable();
    }
    client = llmlab_bind_open(settings, sizeof settings - 1);
    llmlab_bind_end(llmlab_bind_begin(client, 0, "", 0, LLMLAB_SPAN_LLM));
    if (__lsan_enable != NULL) {
        __lsan_enable();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;

    if (client == 0) {
        open_client();
    }
    if (size == 0) {
        return 0;
    }
    size--;
    switch (data[0] % 9) {
    case 0:
        drop(llmlab_bind_cost(text, size));
        break;
    case 1:
        drop(llmlab_bind_usage(text, size / 2, text + size / 2,
                               size - size / 2));
        break;
    case 2:
        llmlab_bind_record(client, text, size);
        break;
    case 3:
        try_span(text, size);
        break;
    case 4:
        llmlab_bind_end(invent(text, size));
        llmlab_bind_stream_destroy(invent(text, size));
        llmlab_bind_text_free(invent(text, size));
        llmlab_bind_set_int(invent(text, size), text, size, 1);
        break;
    case 5:
        drop(llmlab_bind_resolve(text, size / 2, text + size / 2,
                                 size - size / 2));
        break;
    case 6:
        drop(llmlab_bind_usage("", 0, text, size));
        break;
    case 7:
        llmlab_bind_score(client, text, size);
        break;
    default:
        llmlab_bind_release(llmlab_bind_begin_remote(client, text, size, text,
                                                     size, LLMLAB_SPAN_AGENT));
        break;
    }
    return 0;
}
