/* Counts how often each of many asks within a window of time, in memory: for
 * limits, for wrong passwords, and to know when a key was used last without a
 * write for each request. */
#ifndef LLMLAB_SERVICES_METER_H
#define LLMLAB_SERVICES_METER_H

#include <stdbool.h>
#include <stdint.h>

#include <llmlab/status.h>

typedef struct llmlab__meter_s llmlab__meter_t;

typedef enum llmlab__meter_kind_e {
    LLMLAB__METER_KEY = 1,     /* id is a key's */
    LLMLAB__METER_ACCOUNT = 2, /* id is an account's */
    LLMLAB__METER_SESSION = 3, /* id is a hash; see the mark */
    LLMLAB__METER_LOGIN = 4    /* id is a hash of who tries */
} llmlab__meter_kind_t;

typedef struct llmlab__reading_s {
    int64_t left;     /* of the quota */
    int64_t reset_ns; /* until the window ends */
} llmlab__reading_t;

llmlab_status_t llmlab__meter_new(llmlab__meter_t **out);
void llmlab__meter_destroy(llmlab__meter_t *meter);

/* Count one more, if the quota allows it. out may be NULL. A window begins with
 * the first that is counted in it. */
bool llmlab__meter_take(llmlab__meter_t *meter, llmlab__meter_kind_t kind,
                        int64_t id, int64_t quota, int64_t window_ns,
                        llmlab__reading_t *out);
/* The same without counting. */
bool llmlab__meter_look(llmlab__meter_t *meter, llmlab__meter_kind_t kind,
                        int64_t id, int64_t quota, int64_t window_ns,
                        llmlab__reading_t *out);
/* Forget one. */
void llmlab__meter_forget(llmlab__meter_t *meter, llmlab__meter_kind_t kind,
                          int64_t id);

/* Remember that it was used now; mark: 32 bytes, or NULL. */
void llmlab__meter_use(llmlab__meter_t *meter, llmlab__meter_kind_t kind,
                       int64_t id, const unsigned char *mark);
/* When it was used last, if that is known and not yet handed over; else 0. */
int64_t llmlab__meter_used(llmlab__meter_t *meter, llmlab__meter_kind_t kind,
                           int64_t id);
/* Hand over those used since the last time: at most `most` a call. */
typedef void (*llmlab__meter_fn)(void *payload, llmlab__meter_kind_t kind,
                                 int64_t id, const unsigned char mark[32],
                                 int64_t at_ns);
unsigned llmlab__meter_collect(llmlab__meter_t *meter, unsigned most,
                               llmlab__meter_fn visit, void *payload);

#endif
