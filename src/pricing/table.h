/* A price table: what the table compiler writes as constants and a price file
 * of the user's becomes in memory. Flat arrays that refer to one another by
 * index, so that the built-in one needs no relocation.
 *
 *   row      a model: its key, provider, source and dates
 *   period   a row's prices from an instant on; a row has one or several
 *   rate     a class x service tier x context tier, and its amount
 *   context  a bound that re-rates a whole request (or a search)
 *   factor   a multiplier by region or speed
 *   window   hours of some weekdays in which off-peak rates hold
 *   family   a provider with its other names and its keys' prefixes
 */
#ifndef LLMLAB_PRICING_TABLE_H
#define LLMLAB_PRICING_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What a price is per: X(enumerator, name in our price files). Token classes
 * come first; their files state USD per million. */
#define LLMLAB__RATE_MAP(X)                                \
    X(INPUT, "input")                                      \
    X(OUTPUT, "output")                                    \
    X(CACHE_READ, "cache_read")                            \
    X(CACHE_WRITE, "cache_write")                          \
    X(CACHE_WRITE_1H, "cache_write_1h")                    \
    X(INPUT_AUDIO, "input_audio")                          \
    X(INPUT_IMAGE, "input_image")                          \
    X(INPUT_VIDEO, "input_video")                          \
    X(REASONING, "reasoning")                              \
    X(OUTPUT_AUDIO, "output_audio")                        \
    X(OUTPUT_IMAGE, "output_image")                        \
    X(OUTPUT_VIDEO, "output_video")                        \
    X(CITATION, "citation")                                \
    X(CACHE_READ_AUDIO, "cache_read_audio")                \
    X(CACHE_READ_IMAGE, "cache_read_image")                \
    X(CACHE_READ_VIDEO, "cache_read_video")                \
    X(PER_SEARCH_LOW, "web_search_low")                    \
    X(PER_SEARCH_MEDIUM, "web_search_medium")              \
    X(PER_SEARCH_HIGH, "web_search_high")                  \
    X(PER_CODE_SESSION, "code_interpreter_session")        \
    X(PER_INPUT_CHARACTER, "input_character")              \
    X(PER_OUTPUT_CHARACTER, "output_character")            \
    X(PER_INPUT_SECOND, "input_second")                    \
    X(PER_OUTPUT_SECOND, "output_second")                  \
    X(PER_INPUT_AUDIO_SECOND, "input_audio_second")        \
    X(PER_INPUT_VIDEO_SECOND, "input_video_second")        \
    X(PER_OUTPUT_VIDEO_SECOND, "output_video_second")      \
    X(PER_INPUT_IMAGE, "input_image")                      \
    X(PER_OUTPUT_IMAGE, "output_image")                    \
    X(PER_PIXEL, "pixel")                                  \
    X(PER_PAGE, "page")                                    \
    X(PER_ANNOTATED_PAGE, "annotated_page")                \
    X(PER_QUERY, "query")                                  \
    X(PER_REQUEST, "request")                              \
    X(PER_CREDIT, "credit")                                \
    X(PER_FILE_SEARCH, "file_search_call")                 \
    X(PER_GUARDRAIL, "guardrail_unit")                     \
    X(PER_GUARDRAIL_CONTENT, "guardrail_content_unit")     \
    X(PER_GUARDRAIL_IMAGE, "guardrail_content_image_unit") \
    X(PER_GUARDRAIL_TOPIC, "guardrail_topic_unit")         \
    X(PER_GUARDRAIL_WORD, "guardrail_word_unit")           \
    X(PER_GUARDRAIL_SENSITIVE, "guardrail_sensitive_unit") \
    X(PER_GUARDRAIL_FREE, "guardrail_sensitive_free_unit") \
    X(PER_GUARDRAIL_GROUNDING, "guardrail_grounding_unit") \
    X(PER_GUARDRAIL_REASONING, "guardrail_reasoning_unit")

typedef enum llmlab__rate_class_e {
#define LLMLAB__RATE_ENUM_(name, text) LLMLAB__##name,
    LLMLAB__RATE_MAP(LLMLAB__RATE_ENUM_)
#undef LLMLAB__RATE_ENUM_
        LLMLAB__RATE_CLASSES
} llmlab__rate_class_t;

#define LLMLAB__TOKEN_CLASSES LLMLAB__PER_SEARCH_LOW

typedef enum llmlab__tier_e {
    LLMLAB__TIER_STANDARD,
    LLMLAB__TIER_PRIORITY,
    LLMLAB__TIER_FLEX,
    LLMLAB__TIER_ULTRAFAST,
    LLMLAB__TIER_BATCH,
    LLMLAB__TIER_OFF_PEAK, /* no tier of the provider's: a time window */
    LLMLAB__TIERS
} llmlab__tier_t;

/* A rate in 32 bits: its class, tier, context (0: none, else 1 + an index into
 * the period's contexts) and the index of its amount. */
#define LLMLAB__RATE_CONTEXTS    15
#define LLMLAB__RATE_AMOUNT_BITS 19
#define LLMLAB__RATE(class, tier, context, amount)      \
    ((uint32_t)(class) << 26 | (uint32_t)(tier) << 23 | \
     (uint32_t)(context) << LLMLAB__RATE_AMOUNT_BITS | (uint32_t)(amount))
#define LLMLAB__RATE_CLASS(rate)   ((rate) >> 26)
#define LLMLAB__RATE_TIER(rate)    ((rate) >> 23 & 7)
#define LLMLAB__RATE_CONTEXT(rate) ((rate) >> LLMLAB__RATE_AMOUNT_BITS & 15)
#define LLMLAB__RATE_AMOUNT(rate) \
    ((rate) & ((1u << LLMLAB__RATE_AMOUNT_BITS) - 1))

typedef enum llmlab__bound_e {
    LLMLAB__BOUND_ABOVE,      /* input tokens > limit */
    LLMLAB__BOUND_FROM,       /* input tokens >= limit */
    LLMLAB__BOUND_MAX_RESULTS /* results asked for >= limit */
} llmlab__bound_t;

typedef struct llmlab__context_s {
    uint32_t limit;
    uint32_t bound; /* llmlab__bound_t */
} llmlab__context_t;

typedef enum llmlab__factor_kind_e {
    LLMLAB__FACTOR_REGION,
    LLMLAB__FACTOR_REGION_NOT,
    LLMLAB__FACTOR_SPEED
} llmlab__factor_kind_t;

typedef struct llmlab__factor_s {
    uint32_t kind; /* llmlab__factor_kind_t */
    uint32_t text; /* lower case */
    uint32_t numerator;
    uint32_t denominator;
} llmlab__factor_t;

typedef struct llmlab__window_s {
    uint16_t days;  /* bit 0: Monday */
    uint16_t start; /* minutes of the UTC day; the end is exclusive */
    uint16_t end;
    int16_t zone; /* minutes that the weekdays' calendar is ahead of UTC */
} llmlab__window_t;

enum {
    /* A context's rates stand alone: what it lacks is not taken from below. */
    LLMLAB__PERIOD_WHOLE = 1
};

typedef struct llmlab__period_s {
    int64_t from_s; /* INT64_MIN: since ever */
    uint32_t rates;
    uint32_t contexts;
    uint32_t factors;
    uint32_t windows;
    uint8_t rate_count;
    uint8_t context_count;
    uint8_t factor_count;
    uint8_t window_count;
    uint32_t flags;
} llmlab__period_t;

typedef struct llmlab__price_row_s {
    uint32_t key;      /* this and the next three: texts */
    uint32_t provider; /* as the source names it */
    uint32_t mode;     /* "chat", "embedding", ... */
    uint32_t source;
    uint32_t family; /* text: the family's name */
    uint32_t periods;
    uint16_t period_count;
    uint16_t checked; /* this and the next: days since 1970; 0: unknown */
    uint16_t retires;
    uint16_t reserved;
} llmlab__price_row_t;

typedef struct llmlab__family_s {
    uint32_t name;     /* this and the next two: texts */
    uint32_t prefixes; /* "bedrock/ bedrock_mantle/", tried in this order */
    uint32_t also;     /* families whose rows will do, too */
    uint32_t tools;    /* text: the key whose rates for tools hold; "" none */
    uint32_t gateway;  /* 1: it passes on models of any provider */
} llmlab__family_t;

typedef struct llmlab__alias_s {
    uint32_t name; /* text, folded */
    uint32_t family;
} llmlab__alias_t;

typedef struct llmlab__price_table_s {
    const char *version;
    int64_t instant_s; /* the moment at which the prices were read */
    const char *texts;
    const llmlab__price_row_t *rows;
    const llmlab__period_t *periods;
    const uint32_t *rates;
    const uint64_t *amounts; /* femto-USD */
    const llmlab__context_t *contexts;
    const llmlab__factor_t *factors;
    const llmlab__window_t *windows;
    const llmlab__family_t *families;
    const llmlab__alias_t *aliases;
    const uint32_t *slots; /* open addressing by the folded key: 1 + row */
    const uint32_t *alias_slots;
    uint32_t row_count;
    uint32_t slot_mask; /* number of slots - 1, a power of two */
    uint32_t alias_mask;
} llmlab__price_table_t;

/* The built-in table. Static. */
const llmlab__price_table_t *llmlab__price_table_builtin(void);

static inline const char *
llmlab__price_text(const llmlab__price_table_t *table, uint32_t offset)
{
    return table->texts + offset;
}

/* ASCII lower case; model names hold no other letters that matter. */
static inline char
llmlab__fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* As fold, for providers' names: "azure-openai", "z.ai" and "Vertex AI" are
 * "azure_openai", "z_ai" and "vertex_ai". */
static inline char
llmlab__provider_fold(char c)
{
    return c == '-' || c == '.' || c == ' ' ? '_' : llmlab__fold(c);
}

/* A hash that does not tell cases apart: eight bytes a step, with the bit that
 * makes letters small set in all of them. The same on every machine, because
 * the table is made on another one. */
static inline uint32_t
llmlab__key_hash(const char *key, size_t size)
{
    const uint64_t small = UINT64_C(0x2020202020202020);
    uint64_t hash = size;

    while (size > 0) {
        size_t step = size < 8 ? size : 8;
        uint64_t word = 0;

        memcpy(&word, key, step);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        hash = (hash ^ (word | small)) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
        key += step;
        size -= step;
    }
    return (uint32_t)hash;
}

static inline bool
llmlab__rate_is_unit(unsigned rate_class)
{
    return rate_class >= LLMLAB__TOKEN_CLASSES;
}

/* A rate's name in our price files, under "rates" (token classes) or "units".
 * NULL out of range. */
const char *llmlab__rate_name(unsigned rate_class);
/* LLMLAB__RATE_CLASSES when there is none. */
unsigned llmlab__rate_find(const char *name, bool is_unit);
/* A tier's name, "priority"; "" for the standard. NULL out of range. */
const char *llmlab__tier_name(unsigned tier);
/* A tier by its name in our price files; LLMLAB__TIERS when there is none. */
unsigned llmlab__tier_find(const char *name);

#endif
