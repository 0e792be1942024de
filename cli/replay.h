/* A replay: calls read from a workload or from recorded replies, sent through
 * libllmlab as traces with steps. */
#ifndef LLMLAB_CLI_REPLAY_H
#define LLMLAB_CLI_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llmlab/llmlab.h>

#include "cli/progress.h"

#define CLI_REPLAY_MODELS 16

typedef struct cli_replay_s {
    /* What and how; set by the command. */
    llmlab_client_t *client;
    const char *path;
    const char *agent; /* the traces' agent */
    struct {
        char provider[32];
        char model[160];
    } models[CLI_REPLAY_MODELS]; /* workloads: one after another, by trace */
    size_t model_count;
    double speed;        /* 1: as recorded; 0: as fast as possible */
    uint64_t max_traces; /* 0: all */
    unsigned steps;      /* model calls of a trace, at most */
    bool keep_times;     /* as recorded; else the workload ends now */
    int64_t at_ns;       /* not 0: every call starts then */
    int64_t spread_ns;   /* not 0: laid out evenly over so long */
    bool show_progress;

    /* What came of it. */
    uint64_t attempted; /* ended spans */
    uint64_t calls;     /* of attempted: model calls */
    uint64_t traces;

    /* The way there. */
    int64_t wall_ns; /* Unix time when the replay began */
    int64_t mono_ns; /* the same on the monotonic clock */
    llmlab_span_t *root;
    unsigned step; /* calls in the open trace */
    int64_t root_start_ns;
    int64_t root_end_ns;
    int64_t elapsed_ns; /* of the open trace, its calls one after another */
    cli_progress_t progress;
} cli_replay_t;

/* One call's place in time. */
typedef struct cli_replay_time_s {
    int64_t start_ns; /* Unix */
    int64_t end_ns;
} cli_replay_time_t;

/* A replay of path with nothing set but the defaults. */
void cli_replay_init(cli_replay_t *replay, llmlab_client_t *client,
                     const char *path);
/* Adds to the models that calls of a workload take in turn: "a/b,c" is model
 * b of provider a, and c of the provider given. False when there are too many
 * or a name is too long. */
bool cli_replay_add_models(cli_replay_t *replay, const char *provider,
                           const char *list);
/* Send the workload or the recorded replies at replay->path, told apart by
 * what is there. False after a line on stderr; what was sent before counts. */
bool cli_replay_run(cli_replay_t *replay);

/* A workload in memory, ordered by time. */
typedef struct cli_workload_call_s {
    int64_t offset_ns; /* since the workload's first call */
    uint64_t input;
    uint64_t output;
    uint64_t cached; /* of input: in a prefix that was sent before */
} cli_workload_call_t;

typedef struct cli_workload_s {
    cli_workload_call_t *calls;
    size_t count;
    size_t capacity;
    int64_t first_ns; /* Unix time of the first call; 0: not stated */
} cli_workload_t;

bool cli_workload_add(cli_workload_t *workload,
                      const cli_workload_call_t *call);

/* TIMESTAMP,ContextTokens,GeneratedTokens. False after a line on stderr. */
bool cli_workload_load_csv(cli_workload_t *workload, const char *path);
/* {"timestamp":ms,"input_length":n,"output_length":n,"hash_ids":[...]} */
bool cli_workload_load_jsonl(cli_workload_t *workload, const char *path);
bool cli_replay_workload(cli_replay_t *replay, cli_workload_t *workload);
void cli_workload_cleanup(cli_workload_t *workload);

/* A folder with index.jsonl and the replies it names. */
bool cli_replay_replies(cli_replay_t *replay);

/* For the sources: wait until the call's turn (at a given speed) and tell when
 * it shall have been. span_ns: from the workload's first start to its last
 * end; recorded_ns: the call's own Unix time, 0 when unknown. */
cli_replay_time_t cli_replay_time(const cli_replay_t *replay, int64_t offset_ns,
                                  int64_t span_ns, int64_t latency_ns,
                                  int64_t recorded_ns);
/* The trace to put the next call into; a new one when the last is complete.
 * False when max_traces were sent or a stop was asked for. */
bool cli_replay_enter(cli_replay_t *replay);
/* The call was sent; its trace ends when it has all its steps. */
void cli_replay_leave(cli_replay_t *replay, const cli_replay_time_t *time);
/* End the trace that is open, if any. */
void cli_replay_finish(cli_replay_t *replay);

/* Recordings hold no durations: a call is taken to last 300 ms and 15 ms for
 * each token of output, two minutes at most. */
int64_t cli_replay_latency_ns(uint64_t output_tokens);

#endif
