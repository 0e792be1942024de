/* The store's side of retention, deletion and checks. */
#ifndef LLMLAB_STORE_UPKEEP_H
#define LLMLAB_STORE_UPKEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llmlab/status.h>

struct llmlab__store_s;
struct llmlab__reader_s;

/* What a project keeps. */
typedef struct llmlab__keeping_s {
    int64_t project;
    int64_t retention_days;   /* 0: as the server says */
    int64_t complete_from_ns; /* from here on the roll-ups equal the spans */
} llmlab__keeping_t;

/* What one step has done; steps are short, so that ingest never waits for
 * long. */
typedef struct llmlab__removed_s {
    int64_t spans;
    int64_t traces;
    bool more; /* another step is needed */
} llmlab__removed_t;

typedef struct llmlab__upkeep_ops_s {
    /* Of the first project with an id above `after`; LLMLAB_ENOTFOUND. */
    llmlab_status_t (*keeping)(struct llmlab__reader_s *reader, int64_t after,
                               llmlab__keeping_t *out);
    /* Set a project's retention; 0: as the server says. Within a change. */
    llmlab_status_t (*retain)(struct llmlab__reader_s *changer, int64_t project,
                              int64_t days);
    /* Delete spans that began before the time, about `limit` of them, the
     * traces that ended with them, and their scores. Roll-ups stay. */
    llmlab_status_t (*expire)(struct llmlab__store_s *store, int64_t project,
                              int64_t before_ns, int64_t limit,
                              llmlab__removed_t *out);
} llmlab__upkeep_ops_t;

#endif
