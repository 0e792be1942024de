/* Recorded replies: an index.jsonl, one reply a line, beside their bodies. */
#ifndef LLMLAB_TESTS_SUPPORT_REPLIES_H
#define LLMLAB_TESTS_SUPPORT_REPLIES_H

#include <stdbool.h>
#include <stddef.h>

#include <llmlab/usage.h>

#define REPLY_HEADERS 64

typedef struct recorded_reply_s {
    char *id;
    char *provider;
    char *api;
    char *url; /* "" where there is none */
    char *kind;
    int status;
    bool has_usage; /* the index names a usage object */
    char *header_names[REPLY_HEADERS];
    char *header_values[REPLY_HEADERS];
    size_t header_count;
    size_t *chunk_lens; /* the sizes in which the body came; NULL: unknown */
    size_t chunk_count;
    unsigned char *body; /* in memory of exactly its size */
    size_t body_size;
} recorded_reply_t;

typedef struct recorded_replies_s {
    recorded_reply_t *replies;
    size_t count;
} recorded_replies_t;

/* Load a folder; fails the test when something in it is malformed. */
void replies_load(recorded_replies_t *out, const char *folder);
void replies_free(recorded_replies_t *replies);

/* Everything that a reply says, as text, to compare and to show. */
#define REPLY_TEXT 4096
void reply_describe(const llmlab_reply_t *reply, char out[REPLY_TEXT]);

/* A whole file, in memory of exactly its size. NULL: it is not there. */
unsigned char *file_read(const char *path, size_t *out_size);

/* Read in steps: returns the reply's description. The steps are repeated until
 * the body ends; size_t step 0 ends the list. */
llmlab_status_t reply_read_in_steps(const recorded_reply_t *recorded, bool tell,
                                    const size_t *steps, size_t step_count,
                                    llmlab_reply_t *out);

#endif
