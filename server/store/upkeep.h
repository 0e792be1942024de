/* The store's side of retention, deletion and checks. */
#ifndef LLMLAB_STORE_UPKEEP_H
#define LLMLAB_STORE_UPKEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llmlab/status.h>

#include "store/jobs.h"

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

/* A sum that is not what it should be. */
typedef struct llmlab__difference_s {
    int64_t project;
    const char *where; /* "roll-up", "coarser roll-up", "trace" */
    const char *what;  /* the sum's name */
    char place[96];    /* which row */
    int64_t stored;
    int64_t expected;
} llmlab__difference_t;

/* Progress: `done` of `total`, in no unit. False ends the work. */
typedef bool (*llmlab__progress_fn)(void *payload, int64_t done, int64_t total);

typedef struct llmlab__check_s {
    int64_t from_ns; /* only hours from here on; 0: all that can be */
    llmlab__progress_fn progress;
    void (*differs)(void *payload, const llmlab__difference_t *difference);
    void *payload;

    int64_t hours; /* what was looked at */
    int64_t spans;
    int64_t traces;
    int64_t rows;
    int64_t differences;
} llmlab__check_t;

/* Where a walk over a project's spans is. */
typedef struct llmlab__span_place_s {
    int64_t start_ns;
    int64_t span_id;
    int64_t trace_high;
    int64_t trace_low;
} llmlab__span_place_t;

/* What a stored call costs. */
typedef struct llmlab__call_price_s {
    bool has_cost;
    int priced;
    int match;
    int cost_source;
    int64_t nano;
    int64_t rest;
    char key[256]; /* "": none */
} llmlab__call_price_t;

struct llmlab__span_view_s;

typedef struct llmlab__reprice_s {
    int64_t project;
    int64_t end_ns;
    int64_t limit;
    bool apply;
    /* *now holds what it cost, and becomes what it costs. False ends the
     * walk. */
    bool (*price)(void *payload, const struct llmlab__span_view_s *call,
                  llmlab__call_price_t *now);
    void *payload;
} llmlab__reprice_t;

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
    /* Copy the store to a file, as llmlab__sqlite_backup. */
    llmlab_status_t (*backup)(struct llmlab__store_s *store, const char *to,
                              llmlab__progress_fn progress, void *payload,
                              int64_t *bytes);
    /* Delete a trace, its scores and about `limit` of its spans; what they cost
     * stays in the sums. LLMLAB_ENOTFOUND: there is no such trace, and no span
     * is left of one that was deleted before. */
    llmlab_status_t (*trace_delete)(struct llmlab__store_s *store,
                                    int64_t project, uint64_t high,
                                    uint64_t low, int64_t limit,
                                    llmlab__removed_t *out);
    /* Forget whom a label of a user names, and keep the job's progress in the
     * same transaction, with *label put into it by `keep`. LLMLAB_ENOTFOUND:
     * the project has no such user. */
    llmlab_status_t (*user_forget)(struct llmlab__store_s *store,
                                   llmlab__job_t *job, const char *user,
                                   void (*keep)(llmlab__job_t *job,
                                                int64_t label));
    /* The first trace with a span of the user at or after *start_ns, which
     * becomes the span's. LLMLAB_ENOTFOUND. */
    llmlab_status_t (*user_trace)(struct llmlab__reader_s *reader,
                                  int64_t project, int64_t label,
                                  int64_t *start_ns, uint64_t *high,
                                  uint64_t *low);
    /* When the project's last span began; LLMLAB_ENOTFOUND: it has none. */
    llmlab_status_t (*newest)(struct llmlab__reader_s *reader, int64_t project,
                              int64_t *start_ns);
    /* Go over about `limit` spans behind *place and before end_ns, and ask of
     * each call whose cost was computed what it costs now. apply: write it, and
     * correct every sum that it is in, in one transaction. *place becomes the
     * last span's; *more: there are others behind it. */
    llmlab_status_t (*reprice)(struct llmlab__store_s *store,
                               const llmlab__reprice_t *reprice,
                               llmlab__span_place_t *place, bool *more);
    /* Make the roll-ups of all hours whose spans are there again from the
     * spans, the coarser ones from the finer, the traces from their spans, and
     * compare. Reads one state of the database. LLMLAB_ETIMEOUT when it was
     * ended. */
    llmlab_status_t (*check)(struct llmlab__reader_s *reader,
                             llmlab__check_t *check);
} llmlab__upkeep_ops_t;

/* Copy an SQLite file to another, which is there when it is whole, also while
 * a server writes to it. */
llmlab_status_t llmlab__sqlite_backup(const char *from, const char *to,
                                      llmlab__progress_fn progress,
                                      void *payload, int64_t *bytes);
/* Put a backup in the place of a file, which then has the name PATH-replaced.
 * LLMLAB_EINVAL when a server runs on it, or the backup is none. */
llmlab_status_t llmlab__sqlite_restore(const char *backup, const char *path,
                                       llmlab__progress_fn progress,
                                       void *payload, int64_t *bytes);
/* Give back to the system what deleted rows took. LLMLAB_EINVAL when a server
 * runs on it. */
llmlab_status_t llmlab__sqlite_compact(const char *path,
                                       llmlab__progress_fn progress,
                                       void *payload, int64_t *before,
                                       int64_t *after);

#endif
