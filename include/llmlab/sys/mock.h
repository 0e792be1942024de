/* Unstable: may change with any minor version.
 *
 * For your own tests: exporter=memory keeps the JSON of every batch in the
 * process, without server, key or network. */
#ifndef LLMLAB_SYS_MOCK_H
#define LLMLAB_SYS_MOCK_H

#include <stddef.h>
#include <stdint.h>

#include <llmlab/client.h>

LLMLAB_BEGIN_DECLS

/** Take the oldest batch kept by a memory exporter: *out is its JSON with a
 * NUL, owned by the caller (llmlab_free()). LLMLAB_ENOTFOUND when there is
 * none. Flush first. */
LLMLAB_API LLMLAB_NODISCARD llmlab_status_t
llmlab_mock_take_batch(llmlab_client_t *client, char **out, size_t *out_size);

/** Script what the next uploads of an exporter=memory client meet, oldest
 * first: an HTTP status, or 0 for "no reply". Past the script: 200. */
LLMLAB_API LLMLAB_NODISCARD llmlab_status_t llmlab_mock_push_status(
    llmlab_client_t *client, int http_status, int64_t retry_after_ms);

LLMLAB_END_DECLS

#endif
