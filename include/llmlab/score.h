/* Scores: what somebody or something thinks of a trace or of one of its steps:
 * a user's thumb, a judge's grade, a test's verdict. They may come long after
 * the spans, from another process. */
#ifndef LLMLAB_SCORE_H
#define LLMLAB_SCORE_H

#include <stddef.h>
#include <stdint.h>

#include <llmlab/client.h>
#include <llmlab/export.h>
#include <llmlab/status.h>
#include <llmlab/text.h>

typedef enum llmlab_score_type_e {
    LLMLAB_SCORE_NUMERIC = 0,     /* value, and a label if there is one */
    LLMLAB_SCORE_CATEGORICAL = 1, /* label alone */
    LLMLAB_SCORE_BOOLEAN = 2      /* value: 0 is false, all else true */
} llmlab_score_type_t;

/** The longest name, source and version; the longest label and comment. */
#define LLMLAB_SCORE_NAME_MAX 512
#define LLMLAB_SCORE_TEXT_MAX 4096

/** A score, for llmlab_record_score(). Zero and empty mean "not stated". Texts
 * are copied before that returns. */
typedef struct llmlab_score_s {
    size_t struct_size;     /* set by llmlab_score_init() */
    llmlab_text_t trace_id; /* 32 hex digits, see llmlab_span_ids() */
    llmlab_text_t span_id;  /* 16; empty: the trace as a whole */
    llmlab_text_t name;     /* what is judged: "helpful" */
    llmlab_score_type_t type;
    double value;
    llmlab_text_t label;
    llmlab_text_t source;  /* who judges: "user", "judge", "test" */
    llmlab_text_t version; /* of the judge */
    llmlab_text_t comment; /* recorded only with capture.content=full: it may
                              quote the reply */
    int64_t at_ns;         /* Unix time; 0: now */
} llmlab_score_t;

LLMLAB_BEGIN_DECLS

/** Zeroes *score and sets its struct_size. NULL: no-op. Here, so that it is
 * what the program was compiled with. */
static inline void
llmlab_score_init(llmlab_score_t *score)
{
    if (score != NULL) {
        memset(score, 0, sizeof(*score));
        score->struct_size = sizeof(*score);
    }
}

/**
 * Record a score. It takes the way that spans take, and is counted as they are.
 * Sent whether its trace was sampled or not.
 * @return LLMLAB_OK; LLMLAB_EINVAL (detail: an id that is none, no name, a
 *         value that is no finite number, a category without a label, a time
 *         before 1970); LLMLAB_ETOOBIG (a text above its maximum: nothing is
 *         recorded); LLMLAB_EFULL (dropped and counted); LLMLAB_EDISABLED
 * Does not block. Any thread.
 */
LLMLAB_API llmlab_status_t llmlab_record_score(llmlab_client_t *client,
                                               const llmlab_score_t *score);

LLMLAB_END_DECLS

#endif
