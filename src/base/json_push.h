/* A push scanner: takes JSON texts in pieces cut anywhere, keeps O(1) memory,
 * and hands over only what its handler asks to see. What it accepts is what
 * the pull scanner (json_scan.h) accepts, save that a number may have at most
 * LLMLAB__PUSH_SCRATCH digits.
 *
 * The handler decides at each key and container whether to look at the value.
 * Where it does not, the scanner checks the syntax and calls nobody until the
 * value's end. */
#ifndef LLMLAB_BASE_JSON_PUSH_H
#define LLMLAB_BASE_JSON_PUSH_H

#include "base/json_scan.h"

/* The longest key or text handed over; the rest of it is dropped. */
#define LLMLAB__PUSH_SCRATCH 1024

/* What to do with a value. */
typedef enum llmlab__push_mode_e {
    LLMLAB__PUSH_SKIP = 0,
    LLMLAB__PUSH_LOOK,  /* enter() or scalar() gets it */
    LLMLAB__PUSH_STREAM /* as LOOK, and piece() gets a string's raw
                           bytes as they come */
} llmlab__push_mode_t;

typedef struct llmlab__push_handler_s {
    /* A key of a container that was entered. */
    llmlab__push_mode_t (*key)(void *context, const llmlab__json_text_t *key);
    /* A container begins; false: skip it. */
    bool (*enter)(void *context, bool object);
    /* A container that was entered ends. */
    void (*leave)(void *context);
    /* A string (between its quotes), number or literal. */
    void (*scalar)(void *context, llmlab__json_type_t type,
                   const llmlab__json_text_t *text);
    /* A part of a string whose mode is STREAM. */
    void (*piece)(void *context, const char *bytes, size_t size);
} llmlab__push_handler_t;

typedef struct llmlab__push_s {
    const llmlab__push_handler_t *handler;
    void *context;
    const char *error; /* static text; NULL: none so far. Sticky */
    uint64_t offset;   /* of the next byte, or of the fault */
    unsigned depth;
    unsigned loud; /* the outer levels that were entered */
    uint64_t in_object[LLMLAB__JSON_DEPTH / 64];
    llmlab__push_mode_t mode; /* of the value that comes next */
    uint8_t state;
    uint8_t escape; /* characters that an escape still lacks */
    bool escaped;   /* the current string holds a backslash */
    bool done;      /* the text's value has ended */
    size_t scratch_size;
    char scratch[LLMLAB__PUSH_SCRATCH];
} llmlab__push_t;

/* Get ready for a text. The scratch is not touched. */
void llmlab__push_init(llmlab__push_t *push,
                       const llmlab__push_handler_t *handler, void *context);

/* Take bytes; returns how many were taken: less than size once the value has
 * ended (done) or a fault was found (error). */
size_t llmlab__push_feed(llmlab__push_t *push, const char *bytes, size_t size);

/* The text ends here: completes a bare number. True if the value is whole. */
bool llmlab__push_finish(llmlab__push_t *push);

/* True when nothing but white space has come so far. */
bool llmlab__push_is_empty(const llmlab__push_t *push);

#endif
