/* The JSON documents that the flat layer takes: one object each. Strings come
 * decoded, NUL-terminated, and live as long as the document. */
#ifndef LLMLAB_BIND_DOCUMENT_H
#define LLMLAB_BIND_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llmlab/usage.h>

#include "base/json_scan.h"

typedef struct llmlab__document_s {
    llmlab__json_t json;
    char *room; /* where the next string is decoded to */
    char *heap; /* room's memory when local is too small */
    char local[1024];
} llmlab__document_t;

typedef struct llmlab__string_s {
    const char *data;
    size_t size;
} llmlab__string_t;

/* Enter the object; an empty text is one without members. */
llmlab_status_t llmlab__document_open(llmlab__document_t *document,
                                      const char *text, size_t size);
/* The next member's key; its value must be consumed. */
bool llmlab__document_next(llmlab__document_t *document, llmlab__string_t *key);
/* Free; the status, or LLMLAB_EPARSE when the text was no object. */
llmlab_status_t llmlab__document_close(llmlab__document_t *document,
                                       llmlab_status_t status);

/* Consume a value of that type; a null consumes and leaves *out alone. False
 * (another type, or out of range) leaves it in place. */
bool llmlab__document_string(llmlab__document_t *document,
                             llmlab__string_t *out);
/* A number, or a string of digits: JavaScript's numbers end at 2^53. */
bool llmlab__document_int(llmlab__document_t *document, int64_t *out);
/* true or false, or a number. */
bool llmlab__document_bool(llmlab__document_t *document, int *out);

/* Consume an object of usage fields. LLMLAB_EINVAL for an unknown field or one
 * that is no count. */
llmlab_status_t llmlab__document_usage(llmlab__document_t *document,
                                       llmlab_usage_t *out);
/* A document that is nothing but usage. */
llmlab_status_t llmlab__usage_parse(llmlab_usage_t *out, const char *text,
                                    size_t size);

#endif
