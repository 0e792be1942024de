/* A piece of text: where it is and how long. */
#ifndef LLMLAB_TEXT_H
#define LLMLAB_TEXT_H

#include <stddef.h>
#include <string.h>

/** Borrowed text; a fixed value type. data needs no NUL and may be NULL when
 * size is 0. {NULL, 0} is "not stated". */
typedef struct llmlab_text_s {
    const char *data;
    size_t size;
} llmlab_text_t;

/** A literal as a llmlab_text_t: LLMLAB_TEXT("openai"). To assign, to pass, and
 * to initialise automatic variables. */
#ifdef __cplusplus
#define LLMLAB_TEXT(literal) (llmlab_text_t{"" literal, sizeof(literal) - 1})
#else
#define LLMLAB_TEXT(literal) ((llmlab_text_t){"" literal, sizeof(literal) - 1})
#endif

/** A NUL-terminated string as a llmlab_text_t; NULL is "not stated". */
static inline llmlab_text_t
llmlab_text_of(const char *string)
{
    llmlab_text_t text;

    text.data = string;
    text.size = string == NULL ? 0 : strlen(string);
    return text;
}

#endif
