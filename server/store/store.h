/* The store's interface. SQLite implements it; another database is a second
 * table of these functions. */
#ifndef LLMLAB_STORE_STORE_H
#define LLMLAB_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llmlab/status.h>

#include "store/jobs.h"
#include "store/prices.h"
#include "store/rows.h"
#include "store/scores.h"
#include "store/upkeep.h"

typedef struct llmlab__store_s llmlab__store_t;
typedef struct llmlab__reader_s llmlab__reader_t; /* one thread at a time */

#define LLMLAB__SLUG_SIZE  64
#define LLMLAB__HASH_SIZE  32
#define LLMLAB__EMAIL_SIZE 254
#define LLMLAB__NAME_SIZE  128

typedef enum llmlab__scope_e {
    LLMLAB__SCOPE_INGEST = 1,
    LLMLAB__SCOPE_READ = 2,
    LLMLAB__SCOPE_ADMIN = 3
} llmlab__scope_t;

/* What somebody may in a project; each may what those before it may. */
typedef enum llmlab__role_e {
    LLMLAB__ROLE_NONE = 0,
    LLMLAB__ROLE_VIEWER = 1, /* look */
    LLMLAB__ROLE_MEMBER = 2, /* change what belongs to the calls */
    LLMLAB__ROLE_ADMIN = 3,  /* keys, members, settings */
    LLMLAB__ROLE_OWNER = 4,  /* end the project */
    LLMLAB__ROLE_SERVER = 5  /* everything, in every project */
} llmlab__role_t;

/* X(enumerator, value, new ones a day, text when the cap is reached) */
typedef enum llmlab__label_kind_e {
    LLMLAB__LABEL_PROVIDER = 1,
    LLMLAB__LABEL_MODEL = 2,
    LLMLAB__LABEL_AGENT = 3,
    LLMLAB__LABEL_USER = 4,
    LLMLAB__LABEL_ENVIRONMENT = 5,
    LLMLAB__LABEL_SERVICE = 6,
    LLMLAB__LABEL_TAG = 7,
    LLMLAB__LABEL_KINDS
} llmlab__label_kind_t;

/* The label that stands for those above the cap. */
#define LLMLAB__LABEL_OTHER "other"

typedef struct llmlab__project_s {
    int64_t id;
    char uuid[37];
    char slug[LLMLAB__SLUG_SIZE + 1];
    int64_t retention_days; /* 0: as the server says */
    char name[LLMLAB__NAME_SIZE + 1];
    int64_t created_ns;
    int64_t archived_ns; /* 0: not */
    int64_t version;
    bool renamed; /* it was found by a slug that it had before */
} llmlab__project_t;

typedef struct llmlab__key_s {
    int64_t id;
    int64_t project;
    llmlab__scope_t scope;
    int64_t created_ns;
    int64_t expires_ns; /* 0: never */
    int64_t revoked_ns; /* 0: not */
    unsigned char hash[LLMLAB__HASH_SIZE];
    char hint[17];
    char name[65];
    char slug[LLMLAB__SLUG_SIZE + 1];
    int64_t last_used_ns;    /* 0: never; to the minute */
    int64_t requests_minute; /* 0: what the server allows */
    int64_t rotated_from;    /* id; 0: it was made anew */
    char created_by[32];
    int64_t version;
} llmlab__key_t;

typedef enum llmlab__level_e {
    LLMLAB__LEVEL_QUARTER = 0,
    LLMLAB__LEVEL_HOUR = 1,
    LLMLAB__LEVEL_DAY = 2,
    LLMLAB__LEVEL_EIGHT_DAYS = 3,
    LLMLAB__LEVELS
} llmlab__level_t;

static inline int64_t
llmlab__level_seconds(llmlab__level_t level)
{
    static const int64_t seconds[LLMLAB__LEVELS] = {900, 3600, 86400, 691200};

    return seconds[level];
}

typedef enum llmlab__dimension_e {
    LLMLAB__BY_PROVIDER,
    LLMLAB__BY_MODEL,
    LLMLAB__BY_AGENT,
    LLMLAB__BY_STATUS,
    LLMLAB__BY_ENVIRONMENT,
    LLMLAB__BY_KEY,
    LLMLAB__CUBE, /* these are summed in any combination */
    LLMLAB__BY_USER = LLMLAB__CUBE,
    LLMLAB__BY_TAG,
    LLMLAB__ROLLED, /* these are summed at all */
    LLMLAB__BY_SESSION = LLMLAB__ROLLED,
    LLMLAB__DIMENSIONS
} llmlab__dimension_t;

/* Which dimensions roll-up rows are kept apart by; the others are 0. A step
 * with two tags is in two rows of VIEW_TAG. */
typedef enum llmlab__view_e {
    LLMLAB__VIEW_ALL = 0,
    LLMLAB__VIEW_MODEL = 1, /* provider and model */
    LLMLAB__VIEW_AGENT = 2,
    LLMLAB__VIEW_SENDER = 3, /* status, environment and key */
    LLMLAB__VIEW_USER = 4,
    LLMLAB__VIEW_TAG = 5,
    LLMLAB__VIEWS
} llmlab__view_t;

static inline unsigned
llmlab__view_dimensions(llmlab__view_t view)
{
    static const unsigned dimensions[LLMLAB__VIEWS] = {
        (1u << LLMLAB__CUBE) - 1,
        1u << LLMLAB__BY_PROVIDER | 1u << LLMLAB__BY_MODEL,
        1u << LLMLAB__BY_AGENT,
        1u << LLMLAB__BY_STATUS | 1u << LLMLAB__BY_ENVIRONMENT |
            1u << LLMLAB__BY_KEY,
        1u << LLMLAB__BY_USER,
        1u << LLMLAB__BY_TAG};

    return dimensions[view];
}

/* A combination of what a view is kept apart by has a number, the series. */
typedef struct llmlab__rollup_row_s {
    int64_t start; /* in units of the level */
    int64_t series;
    llmlab__sums_t sums;
    llmlab__text_t latency; /* packed; only when asked for */
} llmlab__rollup_row_t;

/* False ends the scan. */
typedef bool (*llmlab__rollup_fn)(void *payload,
                                  const llmlab__rollup_row_t *row);

typedef struct llmlab__rollup_query_s {
    int64_t project;
    llmlab__view_t view;
    llmlab__level_t level;
    int64_t from; /* in units of the level, included */
    int64_t to;   /* excluded */
    bool latency;
} llmlab__rollup_query_t;

/* A span, or calls without spans, as it counts in the sums. */
typedef struct llmlab__crossing_row_s {
    int64_t start_ns;
    int64_t by[LLMLAB__ROLLED]; /* without the tag */
    llmlab__text_t session;
    llmlab__text_t tags; /* JSON array */
    llmlab__sums_t sums;
    int64_t latency_ns; /* -1: none, or not known apart */
} llmlab__crossing_row_t;

typedef bool (*llmlab__crossing_fn)(void *payload,
                                    const llmlab__crossing_row_t *row);

typedef enum llmlab__trace_order_e {
    LLMLAB__NEWEST_FIRST,
    LLMLAB__DEAREST_FIRST
} llmlab__trace_order_t;

/* Where a page ended: the last trace or span on it. */
typedef struct llmlab__cursor_s {
    int64_t major; /* start, or nano-USD */
    int64_t minor; /* the rest below, or the span's id */
    uint64_t trace_high;
    uint64_t trace_low;
} llmlab__cursor_t;

/* A page may end before it is full, because enough was looked at. */
typedef struct llmlab__page_end_s {
    bool more;
    llmlab__cursor_t last; /* with more */
} llmlab__page_end_t;

typedef struct llmlab__trace_query_s {
    int64_t project;
    int64_t start_ns; /* inclusive */
    int64_t end_ns;   /* exclusive */
    llmlab__trace_order_t order;
    int status;          /* llmlab_outcome_t; 0: any */
    const char *agent;   /* NULL: any */
    const char *model;   /* NULL: any */
    const char *user;    /* NULL: any */
    const char *session; /* NULL: any */
    const char *environment;
    const char *name;      /* NULL: any */
    const char *tag;       /* NULL: any */
    int64_t min_cost_nano; /* 0 and 0: any */
    int64_t min_cost_rest;
    int64_t min_duration_ns; /* 0: any */
    bool unpriced;           /* only those with calls without a price */
    bool errors;             /* only those with steps that failed */
    /* Only those with a score of this name, or NULL: any, in this range. */
    const char *score;
    bool has_min_score;
    bool has_max_score;
    double min_score;
    double max_score;
    bool has_cursor;
    llmlab__cursor_t cursor;
    size_t limit;
} llmlab__trace_query_t;

typedef struct llmlab__call_query_s {
    int64_t project;
    int64_t start_ns;                  /* inclusive */
    int64_t end_ns;                    /* exclusive */
    unsigned only;                     /* bits by llmlab__dimension_t */
    int64_t value[LLMLAB__DIMENSIONS]; /* of which only this value */
    const char *tag;                   /* the text; "": without tags */
    const char *session;
    int kind;      /* llmlab_span_kind_t; -1: any */
    bool unpriced; /* only calls without a price */
    bool has_cursor;
    llmlab__cursor_t cursor;
    size_t limit;
} llmlab__call_query_t;

typedef struct llmlab__session_query_s {
    int64_t project;
    int64_t start_ns;  /* that begin from here on */
    int64_t end_ns;    /* and before */
    int64_t user;      /* a label; 0: any */
    int64_t before_ns; /* the last of the page before; INT64_MAX: none */
    int64_t before;
    size_t limit;
} llmlab__session_query_t;

typedef struct llmlab__session_row_s {
    int64_t number;
    int64_t start_ns;
    int64_t last_ns;
    int64_t end_ns;
    int64_t traces;
    int64_t steps;
    int64_t calls;
    int64_t errors;
    int64_t unpriced;
    int64_t cost_nano;
    int64_t cost_rest;
    int64_t input_tokens;
    int64_t output_tokens;
    llmlab__text_t session;
    llmlab__text_t user;
} llmlab__session_row_t;

typedef struct llmlab__trace_row_s {
    uint64_t trace_high;
    uint64_t trace_low;
    int64_t start_ns;
    int64_t last_ns;
    int64_t end_ns;
    uint64_t root_id;
    int status;
    int64_t steps;
    int64_t calls;
    int64_t errors;
    int64_t unpriced;
    int64_t cost_nano;
    int64_t cost_rest;
    int64_t input_tokens;
    int64_t output_tokens;
    llmlab__text_t name;
    llmlab__text_t agent;
    llmlab__text_t user;
    llmlab__text_t environment;
    llmlab__text_t session;
    llmlab__text_t tags; /* JSON array */
    llmlab__text_t runs; /* the store's own */
} llmlab__trace_row_t;

typedef struct llmlab__span_view_s {
    uint64_t trace_high;
    uint64_t trace_low;
    uint64_t span_id;
    uint64_t parent_id;
    int64_t start_ns;
    int64_t duration_ns;
    int64_t ttft_ns; /* -1: unknown */
    int kind;
    int status;
    int counted;
    int priced;
    int match;
    int usage_source;
    int cost_source;
    bool has_cost;
    bool has_client_cost;
    int64_t cost_nano;
    int64_t cost_rest;
    int64_t client_nano;
    int64_t client_rest;
    llmlab__text_t name;
    llmlab__text_t provider;
    llmlab__text_t model;
    llmlab__text_t agent;
    llmlab__text_t user;
    llmlab__text_t environment;
    llmlab__text_t service;
    llmlab__text_t session;
    llmlab__text_t price_key;
    llmlab__text_t usage;
    llmlab__text_t tags;
    llmlab__text_t detail;
} llmlab__span_view_t;

/* A step's place in its tree, and what it adds to the trace's sums. */
typedef struct llmlab__span_node_s {
    uint64_t span_id;
    uint64_t parent_id;
    int64_t start_ns;
    bool unpriced;
    int64_t cost_nano;
    int64_t cost_rest;
} llmlab__span_node_t;

/* Texts of a row live until the function returns. False ends the walk. */
typedef bool (*llmlab__node_fn)(void *payload, const llmlab__span_node_t *node);
typedef bool (*llmlab__trace_fn)(void *payload, const llmlab__trace_row_t *row);
typedef bool (*llmlab__span_fn)(void *payload, const llmlab__span_view_t *row);
typedef bool (*llmlab__session_fn)(void *payload,
                                   const llmlab__session_row_t *row);
typedef bool (*llmlab__key_fn)(void *payload, const llmlab__key_t *key);

/* What was changed, by whom. */
typedef struct llmlab__audit_s {
    int64_t id;
    int64_t project; /* 0: of the server */
    int64_t at_ns;
    const char *actor; /* "key:3", "account:7", "command" */
    const char *actor_name;
    const char *address;
    const char *action; /* "key.create" */
    const char *target;
    const char *detail; /* a JSON object */
} llmlab__audit_t;

typedef bool (*llmlab__audit_fn)(void *payload, const llmlab__audit_t *entry);

/* The answer to a change, for who asks for it again. */
typedef struct llmlab__answer_s {
    unsigned char request[LLMLAB__HASH_SIZE];
    unsigned status;
    llmlab__buf_t sealed;
} llmlab__answer_t;

typedef struct llmlab__store_numbers_s {
    uint64_t transactions;
    uint64_t spans;
    uint64_t duplicates;
    uint64_t rejected;
    uint64_t capped_labels;
    uint64_t checkpoints;
    uint64_t database_bytes;
    uint64_t log_bytes;
} llmlab__store_numbers_t;

/* Statuses: LLMLAB_OK; LLMLAB_ENOTFOUND; LLMLAB_EINVAL (taken already);
 * LLMLAB_EIO (the database failed: the detail names how); LLMLAB_ENOMEM. */
typedef struct llmlab__store_ops_s {
    const struct llmlab__admin_ops_s *admin; /* store/admin.h */

    void (*close)(llmlab__store_t *store);

    /* Store batches in one transaction, durable when it returns; each gets its
     * counts, rejections and status. A batch that fails does not harm the
     * others. One thread at a time: the writer's. */
    void (*apply)(llmlab__store_t *store, llmlab__batch_t **batches,
                  size_t count);
    /* Work for an idle moment of the writer. */
    void (*idle)(llmlab__store_t *store);
    void (*numbers)(llmlab__store_t *store, llmlab__store_numbers_t *out);

    /* A connection for reading; any thread. NULL when it cannot be made. */
    llmlab__reader_t *(*acquire)(llmlab__store_t *store);
    void (*release)(llmlab__store_t *store, llmlab__reader_t *reader);
    llmlab_status_t (*ping)(llmlab__reader_t *reader);

    /* By slug, UUID, or a slug that it had before. */
    llmlab_status_t (*project_find)(llmlab__reader_t *reader, const char *name,
                                    llmlab__project_t *out);
    llmlab_status_t (*project_get)(llmlab__reader_t *reader, int64_t id,
                                   llmlab__project_t *out);
    llmlab_status_t (*key_find)(llmlab__reader_t *reader,
                                const unsigned char hash[LLMLAB__HASH_SIZE],
                                llmlab__key_t *out);
    /* A secret of the store's own, made at its first use: signs cursors. */
    llmlab_status_t (*secret)(llmlab__store_t *store, unsigned char out[32]);

    /* A change: a transaction of its own, one at a time, for what the API is
     * asked to change. Functions with a `changer` write into it; all that take
     * a reader take the changer too, and see what it has written. It keeps the
     * batch writer waiting, so that nothing slow belongs into it; the secret
     * must not be asked for meanwhile. When it cannot begin,
     * there is nothing to end. */
    llmlab_status_t (*change_begin)(llmlab__store_t *store,
                                    llmlab__reader_t **out);
    /* Durable when it returns LLMLAB_OK with commit; else nothing is changed.
     */
    llmlab_status_t (*change_end)(llmlab__store_t *store,
                                  llmlab__reader_t *changer, bool commit);
    llmlab_status_t (*audit_add)(llmlab__reader_t *changer,
                                 const llmlab__audit_t *entry);
    /* Latest first, those with an id below `before`. */
    llmlab_status_t (*audit_list)(llmlab__reader_t *reader, int64_t project,
                                  int64_t before, size_t limit,
                                  llmlab__audit_fn visit, void *payload);
    /* Answers of the last 24 hours. answer->sealed is appended to. */
    llmlab_status_t (*answer_find)(llmlab__reader_t *changer,
                                   const unsigned char hash[LLMLAB__HASH_SIZE],
                                   llmlab__answer_t *out);
    llmlab_status_t (*answer_add)(llmlab__reader_t *changer,
                                  const unsigned char hash[LLMLAB__HASH_SIZE],
                                  const llmlab__answer_t *answer);

    /* Roll-up rows in the order of start. */
    llmlab_status_t (*rollups)(llmlab__reader_t *reader,
                               const llmlab__rollup_query_t *query,
                               llmlab__rollup_fn visit, void *payload);
    /* What a view's series is kept apart by. LLMLAB_ENOTFOUND. */
    llmlab_status_t (*series)(llmlab__reader_t *reader, llmlab__view_t view,
                              int64_t series, int64_t by[LLMLAB__ROLLED]);
    /* All that the sums of a time range consist of, as far as it is still
     * stored. */
    llmlab_status_t (*crossing)(llmlab__reader_t *reader, int64_t project,
                                int64_t from_ns, int64_t to_ns,
                                llmlab__crossing_fn visit, void *payload);
    /* The number of the last change to the sums of some days (since 1970,
     * from included, to excluded) that the reader sees. The same number: the
     * same sums. 0 when that cannot be said: a newer change is under way. */
    llmlab_status_t (*changed)(llmlab__reader_t *reader, int64_t project,
                               int64_t from, int64_t to, uint64_t *out);
    /* 0 when the project has no such label. */
    int64_t (*label_find)(llmlab__reader_t *reader, int64_t project,
                          llmlab__label_kind_t kind, const char *text);
    /* The text of a label; lives until the next call. */
    llmlab__text_t (*label_text)(llmlab__reader_t *reader, int64_t id);

    llmlab_status_t (*traces)(llmlab__reader_t *reader,
                              const llmlab__trace_query_t *query,
                              llmlab__trace_fn visit, void *payload,
                              llmlab__page_end_t *end);
    llmlab_status_t (*trace)(llmlab__reader_t *reader, int64_t project,
                             uint64_t trace_high, uint64_t trace_low,
                             llmlab__trace_fn visit, void *payload);
    /* Spans, newest first. */
    llmlab_status_t (*calls)(llmlab__reader_t *reader,
                             const llmlab__call_query_t *query,
                             llmlab__span_fn visit, void *payload,
                             llmlab__page_end_t *end);
    /* Newest first. */
    llmlab_status_t (*sessions)(llmlab__reader_t *reader,
                                const llmlab__session_query_t *query,
                                llmlab__session_fn visit, void *payload);
    /* The spans of a trace in the order of their start. */
    llmlab_status_t (*spans)(llmlab__reader_t *reader, int64_t project,
                             const llmlab__trace_row_t *trace,
                             llmlab__span_fn visit, void *payload);
    /* The same in short. */
    llmlab_status_t (*nodes)(llmlab__reader_t *reader, int64_t project,
                             const llmlab__trace_row_t *trace,
                             llmlab__node_fn visit, void *payload);
    /* One span; major is its start, minor its id. LLMLAB_ENOTFOUND. */
    llmlab_status_t (*span)(llmlab__reader_t *reader, int64_t project,
                            const llmlab__cursor_t *key, llmlab__span_fn visit,
                            void *payload);
    /* Grows when stored spans are deleted or priced again. The same number
     * before and after: none were between. Odd: it is under way. */
    uint64_t (*rewrites)(const llmlab__store_t *store);
} llmlab__store_ops_t;

struct llmlab__store_s {
    const llmlab__store_ops_t *ops;
    const llmlab__job_ops_t *jobs;
    const llmlab__price_ops_t *prices;
    const llmlab__score_ops_t *scores;
    const llmlab__upkeep_ops_t *upkeep;
};

/* Open or make an SQLite file. The detail tells why it failed. */
llmlab_status_t llmlab__store_sqlite_open(llmlab__store_t **out,
                                          const char *path);
/* Be the one process that applies batches, until it ends: the writer keeps sums
 * in memory, which another would make wrong. LLMLAB_EINVAL when another is. */
llmlab_status_t llmlab__store_sqlite_own(llmlab__store_t *store);

#endif
