/* A streaming JSON writer into a buffer. The caller keeps the order of
 * things; commas and escapes are the writer's. */
#ifndef LLMLAB_BASE_JSON_WRITE_H
#define LLMLAB_BASE_JSON_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

typedef struct llmlab__json_out_s {
    llmlab__buf_t *buf;
    bool comma; /* the next key or element needs one before it */
} llmlab__json_out_t;

static inline void
llmlab__json_out_init(llmlab__json_out_t *out, llmlab__buf_t *buf)
{
    out->buf = buf;
    out->comma = false;
}

void llmlab__json_begin_object(llmlab__json_out_t *out);
void llmlab__json_end_object(llmlab__json_out_t *out);
void llmlab__json_begin_array(llmlab__json_out_t *out);
void llmlab__json_end_array(llmlab__json_out_t *out);
void llmlab__json_key_n(llmlab__json_out_t *out, const char *key, size_t size);
/* A key known to need no escapes: a literal of the source. */
#define llmlab__json_key(out, literal) \
    llmlab__json_key_raw((out), "\"" literal "\":", sizeof(literal) + 2)
void llmlab__json_key_raw(llmlab__json_out_t *out, const char *quoted,
                          size_t size);
/* Bad UTF-8 becomes U+FFFD, control characters \u00XX. NULL text: null. */
void llmlab__json_put_string(llmlab__json_out_t *out, const char *text,
                             size_t size);
void llmlab__json_put_text(llmlab__json_out_t *out, const char *text);
void llmlab__json_put_int(llmlab__json_out_t *out, int64_t value);
void llmlab__json_put_uint(llmlab__json_out_t *out, uint64_t value);
/* Shortest text that reads back the same; NaN and infinities: null. */
void llmlab__json_put_double(llmlab__json_out_t *out, double value);
void llmlab__json_put_bool(llmlab__json_out_t *out, bool value);
void llmlab__json_put_null(llmlab__json_out_t *out);
/* A value that is JSON text already. */
void llmlab__json_put_raw(llmlab__json_out_t *out, const char *json,
                          size_t size);

#endif
