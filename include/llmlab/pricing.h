/* The price book and the cost of a call. Money is an exact integer of
 * femto-USD (1e-15 USD) in 128 bits; no float touches it. */
#ifndef LLMLAB_PRICING_H
#define LLMLAB_PRICING_H

#include <stddef.h>
#include <stdint.h>

#include <llmlab/export.h>
#include <llmlab/status.h>
#include <llmlab/usage.h>

/** An amount in femto-USD. A fixed value type. */
typedef struct llmlab_money_s {
    uint64_t low;
    uint64_t high;
} llmlab_money_t;

/** Room for the longest amount as text, with its NUL. */
#define LLMLAB_MONEY_TEXT 48

/** How a model's name was found in the price book. */
typedef enum llmlab_match_e {
    LLMLAB_MATCH_UNKNOWN = 0,
    LLMLAB_MATCH_EXACT = 1,
    LLMLAB_MATCH_CASE = 2,
    LLMLAB_MATCH_NORMALIZED = 3,
    LLMLAB_MATCH_DATED_FALLBACK = 4
} llmlab_match_t;

/** Whether a price applied. Unpriced is not zero. */
typedef enum llmlab_priced_e {
    LLMLAB_UNPRICED = 0,
    LLMLAB_PRICED = 1,
    LLMLAB_ESTIMATED_RATE = 2 /* a class without a rate took another's */
} llmlab_priced_t;

/** Who says what the call cost. */
typedef enum llmlab_cost_source_e {
    LLMLAB_COST_NONE = 0,
    LLMLAB_COST_COMPUTED = 1,
    LLMLAB_COST_PROVIDER = 2
} llmlab_cost_source_t;

/** The parts that a cost is the sum of. New parts are added at the end. */
#define LLMLAB_COST_PART_MAP(X)             \
    X(INPUT, "input")                       \
    X(OUTPUT, "output")                     \
    X(WEB_SEARCH, "web_search")             \
    X(CODE_INTERPRETER, "code_interpreter") \
    X(CHARACTERS, "characters")             \
    X(AUDIO_SECONDS, "audio_seconds")       \
    X(VIDEO_SECONDS, "video_seconds")       \
    X(IMAGES, "images")                     \
    X(PIXELS, "pixels")                     \
    X(PAGES, "pages")                       \
    X(QUERIES, "queries")                   \
    X(REQUESTS, "requests")                 \
    X(CREDITS, "credits")                   \
    X(GUARDRAILS, "guardrails")             \
    X(FILE_SEARCH, "file_search")

typedef enum llmlab_cost_part_e {
#define LLMLAB_COST_PART_ENUM_(name, wire) LLMLAB_COST_##name,
    LLMLAB_COST_PART_MAP(LLMLAB_COST_PART_ENUM_)
#undef LLMLAB_COST_PART_ENUM_
        LLMLAB_COST_PARTS
} llmlab_cost_part_t;

#define LLMLAB_COST_PART_CAPACITY 24

/** A price book: the built-in table, or one with the user's own prices over
 * it. Immutable once made; any thread may read it. NULL means the built-in. */
typedef struct llmlab_price_book_s llmlab_price_book_t;

/** What is to be priced. Zeroed fields mean "not stated". Texts need not
 * outlive the call. */
typedef struct llmlab_call_facts_s {
    size_t struct_size; /* sizeof(llmlab_call_facts_t): set by the init */
    const char *provider;
    const char *model;
    const llmlab_usage_t *usage;
    int64_t time_ns; /* Unix time of the call's start; 0: the table's date */
    const char *service_tier;   /* the tier served: "priority", "flex", ... */
    const char *speed;          /* "fast" */
    const char *region;         /* data residency, inference geo, location */
    const char *search_context; /* "low", "medium", "high"; where a provider
                                   searches for every request (Perplexity) one
                                   search is charged if usage counts none */
    int batch;
    const char *key; /* the row, where it is known: then no name is resolved */
    const llmlab_usage_part_t *parts; /* the runs of a reply by several models:
                                         each has its model's token price, and
                                         usage only its other units */
    size_t part_count;
} llmlab_call_facts_t;

/** The cost of one call and where the number comes from. */
typedef struct llmlab_cost_s {
    llmlab_money_t amount;
    llmlab_money_t parts[LLMLAB_COST_PART_CAPACITY];
    uint64_t parts_present; /* bit i: parts[i] belongs to this call */
    llmlab_match_t match;
    llmlab_priced_t priced;
    const char *key;   /* the price book's row; NULL when unknown. Lives as
                          long as the book */
    const char *table; /* the table's version */
    const char *tier;  /* the service tier whose rates applied, or "" */
    uint32_t context_threshold; /* the context tier that applied; 0: base */
    uint32_t flags;             /* LLMLAB_COST_FLAG_* */
} llmlab_cost_t;

enum {
    LLMLAB_COST_FLAG_ESTIMATED = 1,  /* some rate was another class's */
    LLMLAB_COST_FLAG_CLAMPED = 2,    /* parts exceeded their total */
    LLMLAB_COST_FLAG_OFF_PEAK = 4,   /* a time window's rates applied */
    LLMLAB_COST_FLAG_MULTIPLIED = 8, /* a region or speed uplift applied */
    LLMLAB_COST_FLAG_BATCH = 16,     /* batch rates applied */
    LLMLAB_COST_FLAG_CUSTOM = 32,    /* the user's own price applied */
    LLMLAB_COST_FLAG_NO_USAGE = 64,  /* nothing stated to price */
    LLMLAB_COST_FLAG_RETIRED = 128   /* the model is past its retirement */
};

LLMLAB_BEGIN_DECLS

/** *sum += amount. LLMLAB_EOVERFLOW leaves *sum as it was. */
LLMLAB_API LLMLAB_NODISCARD llmlab_status_t
llmlab_money_add(llmlab_money_t *sum, llmlab_money_t amount);

/** Write an amount as an exact decimal of USD without exponent or trailing
 * zeros ("0.0001182", "0", "54.4"). Returns the length; buf gets a NUL. */
LLMLAB_API size_t llmlab_money_format(llmlab_money_t amount,
                                      char buf[LLMLAB_MONEY_TEXT]);

/** Read a decimal of USD ("1.5e-05" too). Digits finer than a femto-USD are
 * rounded half-even and told by *inexact (may be NULL). LLMLAB_EPARSE for
 * anything that is no non-negative finite decimal; LLMLAB_EOVERFLOW. */
LLMLAB_API LLMLAB_NODISCARD llmlab_status_t llmlab_money_parse(
    llmlab_money_t *out, const char *text, size_t size, int *inexact);

/** In nano-USD, rounded half-even once. LLMLAB_EOVERFLOW above int64. */
LLMLAB_API LLMLAB_NODISCARD llmlab_status_t
llmlab_money_nano(llmlab_money_t amount, int64_t *out);

/** The built-in table's version: its date, "2026-08-21". Static. */
LLMLAB_API const char *llmlab_pricing_version(void);

/** Facts with every field unset. NULL: no-op. */
LLMLAB_API void llmlab_call_facts_init(llmlab_call_facts_t *facts);

/**
 * Find a model in a price book. Never by prefix or substring; the order of the
 * tries and what each status means are told in docs/PRICING.md.
 * @param out_key borrowed from the book; NULL when unknown; may be NULL
 * Does not block, allocates nothing, any thread.
 */
LLMLAB_API llmlab_match_t
llmlab_pricing_resolve(const llmlab_price_book_t *book, const char *provider,
                       const char *model, const char **out_key);

/**
 * Price one call. Of a call in parts the cost is the sum over them: unpriced
 * if one of them is; match is the least certain, key the row of facts->model,
 * or of the first part where that name has none.
 * @param out  filled in any case; unpriced is told by out->priced, never by 0
 * @param book NULL: the built-in table
 * @return LLMLAB_OK; LLMLAB_EUNPRICED (unknown model, or no rate for what was
 *         used); LLMLAB_ENOUSAGE (nothing to price); LLMLAB_EOVERFLOW;
 *         LLMLAB_EINVAL
 * Does not block, allocates nothing, any thread.
 */
LLMLAB_API llmlab_status_t
llmlab_cost_compute(llmlab_cost_t *out, const llmlab_price_book_t *book,
                    const llmlab_call_facts_t *facts);

/** A part's name, "input"; NULL out of range. */
LLMLAB_API const char *llmlab_cost_part_name(llmlab_cost_part_t part);

/** "exact", "case", "normalized", "dated_fallback", "unknown". Static. */
LLMLAB_API const char *llmlab_match_name(llmlab_match_t match);

/** "priced", "estimated_rate", "unpriced". Static. */
LLMLAB_API const char *llmlab_priced_name(llmlab_priced_t priced);

/**
 * A price book from the user's JSON over the built-in one: the project's own
 * schema or LiteLLM's form, told apart by itself.
 * @param out owned by the caller: llmlab_price_book_destroy()
 * @return LLMLAB_OK, LLMLAB_EPARSE (detail names line and field),
 *         LLMLAB_ENOMEM, LLMLAB_EINVAL
 * Does not block; not for the hot path.
 */
LLMLAB_API LLMLAB_NODISCARD llmlab_status_t llmlab_price_book_parse(
    llmlab_price_book_t **out, const char *json, size_t size);

/** As above, from a file. Blocks for as long as the file takes to read. */
LLMLAB_API LLMLAB_NODISCARD llmlab_status_t
llmlab_price_book_load(llmlab_price_book_t **out, const char *path);

/**
 * As above, from a file that `llmlab pricing sign` made, if all of this holds:
 * the Ed25519 signature fits the public key (64 hex digits), the file has not
 * expired, its version is above the given one (NULL: any), and no price is
 * absurd or more than threefold of the built-in one, or below a third.
 * @return as above; LLMLAB_EAUTH (the detail tells what does not hold)
 */
LLMLAB_API LLMLAB_NODISCARD llmlab_status_t
llmlab_price_book_load_signed(llmlab_price_book_t **out, const char *path,
                              const char *public_key, const char *above);

/** A book's version, which is its date, as the file states it: "2026-11-01" or
 * "2026-11-01T12:00:00Z"; "custom" where it states none. NULL: the built-in
 * table's. Lives as long as the book. */
LLMLAB_API const char *
llmlab_price_book_version(const llmlab_price_book_t *book);

/** Frees a book. No client may use it any more. NULL: no-op. */
LLMLAB_API void llmlab_price_book_destroy(llmlab_price_book_t *book);

LLMLAB_END_DECLS

#endif
