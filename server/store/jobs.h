/* The store's table of jobs. */
#ifndef LLMLAB_STORE_JOBS_H
#define LLMLAB_STORE_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llmlab/status.h>

struct llmlab__store_s;
struct llmlab__reader_s;

typedef enum llmlab__job_state_e {
    LLMLAB__JOB_WAITING = 0,
    LLMLAB__JOB_RUNNING = 1,
    LLMLAB__JOB_DONE = 2,
    LLMLAB__JOB_DEAD = 3, /* its attempts are used up */
    LLMLAB__JOB_CANCELLED = 4,
    LLMLAB__JOB_STATES
} llmlab__job_state_t;

#define LLMLAB__JOB_KIND_SIZE     16
#define LLMLAB__JOB_SCHEDULE_SIZE 64

typedef struct llmlab__job_s {
    int64_t id;
    int64_t project; /* 0: the server's */
    llmlab__job_state_t state;
    bool standing; /* the server has it always, one a kind */
    int attempt;   /* 1 while it runs for the first time */
    int64_t created_ns;
    int64_t run_at_ns;
    int64_t started_ns;
    int64_t finished_ns;
    int64_t succeeded_ns; /* 0: never */
    char kind[LLMLAB__JOB_KIND_SIZE + 1];
    char schedule[LLMLAB__JOB_SCHEDULE_SIZE + 1]; /* "": none */
    char error[256];
    /* JSON objects. */
    char arguments[2048];
    char progress[1024];
    char result[8192];
} llmlab__job_t;

/* An empty job that is due now. */
void llmlab__job_init(llmlab__job_t *job, const char *kind, int64_t project);

typedef struct llmlab__job_query_s {
    int64_t project;  /* -1: any */
    int state;        /* -1: any */
    const char *kind; /* NULL: any */
    int64_t before;   /* ids below it; 0: all */
    size_t limit;
} llmlab__job_query_t;

/* False ends the walk. */
typedef bool (*llmlab__job_fn)(void *payload, const llmlab__job_t *job);

/* Statuses as in store.h. A changer is one of store.h's changes. */
typedef struct llmlab__job_ops_s {
    /* Sets the id. A standing job whose kind is there already stays as it is:
     * LLMLAB_EINVAL. */
    llmlab_status_t (*create)(struct llmlab__reader_s *changer,
                              llmlab__job_t *job);
    llmlab_status_t (*get)(struct llmlab__reader_s *reader, int64_t id,
                           llmlab__job_t *out);
    /* The newest first. */
    llmlab_status_t (*list)(struct llmlab__reader_s *reader,
                            const llmlab__job_query_t *query,
                            llmlab__job_fn visit, void *payload);
    /* The job that has been due for longest becomes a running one. When none
     * is due: LLMLAB_ENOTFOUND, and *next_ns tells when one will be. */
    llmlab_status_t (*claim)(struct llmlab__store_s *store, int64_t now_ns,
                             llmlab__job_t *out, int64_t *next_ns);
    /* Write what may change, if the stored job still has the state;
     * LLMLAB_ENOTFOUND when it has another. */
    llmlab_status_t (*save)(struct llmlab__reader_s *changer,
                            const llmlab__job_t *job,
                            llmlab__job_state_t expected);
    /* What was running when the process ended waits again. */
    llmlab_status_t (*recover)(struct llmlab__store_s *store);
    /* Forget jobs without a schedule that ended before the time. */
    llmlab_status_t (*forget)(struct llmlab__store_s *store, int64_t before_ns);
} llmlab__job_ops_t;

#endif
