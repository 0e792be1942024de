/* Token usage: its classes, and the readers that find it in a provider's
 * reply. Usage has one form everywhere: input_tokens and output_tokens are
 * inclusive totals, the other token classes are parts of them. What a provider
 * did not state is absent, which is not zero. */
#ifndef LLMLAB_USAGE_H
#define LLMLAB_USAGE_H

#include <stddef.h>
#include <stdint.h>

#include <llmlab/export.h>
#include <llmlab/status.h>

/** Every usage field once: X(enumerator, name on the wire). Fields whose name
 * ends in _seconds count microseconds; all others count whole units.
 * input_tokens and output_tokens are totals; those of cache, media and
 * reasoning are parts of them that do not overlap, so that input_audio_tokens
 * did not come from the cache. cache_read_audio_tokens and the like are parts
 * of cache_read_tokens.
 * New fields are added at the end. */
#define LLMLAB_USAGE_MAP(X)                                       \
    X(INPUT_TOKENS, "input_tokens")                               \
    X(OUTPUT_TOKENS, "output_tokens")                             \
    X(CACHE_READ_TOKENS, "cache_read_tokens")                     \
    X(CACHE_WRITE_TOKENS, "cache_write_tokens")                   \
    X(CACHE_WRITE_5M_TOKENS, "cache_write_5m_tokens")             \
    X(CACHE_WRITE_1H_TOKENS, "cache_write_1h_tokens")             \
    X(INPUT_AUDIO_TOKENS, "input_audio_tokens")                   \
    X(INPUT_IMAGE_TOKENS, "input_image_tokens")                   \
    X(INPUT_VIDEO_TOKENS, "input_video_tokens")                   \
    X(REASONING_TOKENS, "reasoning_tokens")                       \
    X(OUTPUT_AUDIO_TOKENS, "output_audio_tokens")                 \
    X(OUTPUT_IMAGE_TOKENS, "output_image_tokens")                 \
    X(OUTPUT_VIDEO_TOKENS, "output_video_tokens")                 \
    X(CITATION_TOKENS, "citation_tokens")                         \
    X(WEB_SEARCH_REQUESTS, "web_search_requests")                 \
    X(CODE_INTERPRETER_SESSIONS, "code_interpreter_sessions")     \
    X(INPUT_CHARACTERS, "input_characters")                       \
    X(AUDIO_SECONDS, "audio_seconds")                             \
    X(OUTPUT_VIDEO_SECONDS, "output_video_seconds")               \
    X(INPUT_IMAGES, "input_images")                               \
    X(OUTPUT_IMAGES, "output_images")                             \
    X(IMAGE_PIXELS, "image_pixels")                               \
    X(PAGES, "pages")                                             \
    X(ANNOTATED_PAGES, "annotated_pages")                         \
    X(QUERIES, "queries")                                         \
    X(MAX_RESULTS, "max_results")                                 \
    X(REQUESTS, "requests")                                       \
    X(CREDITS, "credits")                                         \
    X(GUARDRAIL_UNITS, "guardrail_units")                         \
    X(CACHE_READ_AUDIO_TOKENS, "cache_read_audio_tokens")         \
    X(CACHE_READ_IMAGE_TOKENS, "cache_read_image_tokens")         \
    X(CACHE_READ_VIDEO_TOKENS, "cache_read_video_tokens")         \
    X(WEB_FETCH_REQUESTS, "web_fetch_requests")                   \
    X(FILE_SEARCH_CALLS, "file_search_calls")                     \
    X(GUARDRAIL_CONTENT, "guardrail_content_units")               \
    X(GUARDRAIL_CONTENT_IMAGE, "guardrail_content_image_units")   \
    X(GUARDRAIL_TOPIC, "guardrail_topic_units")                   \
    X(GUARDRAIL_WORD, "guardrail_word_units")                     \
    X(GUARDRAIL_SENSITIVE, "guardrail_sensitive_units")           \
    X(GUARDRAIL_SENSITIVE_FREE, "guardrail_sensitive_free_units") \
    X(GUARDRAIL_GROUNDING, "guardrail_grounding_units")           \
    X(GUARDRAIL_REASONING, "guardrail_reasoning_units")

typedef enum llmlab_usage_field_e {
#define LLMLAB_USAGE_ENUM_(name, wire) LLMLAB_USAGE_##name,
    LLMLAB_USAGE_MAP(LLMLAB_USAGE_ENUM_)
#undef LLMLAB_USAGE_ENUM_
        LLMLAB_USAGE_FIELDS
} llmlab_usage_field_t;

/** Room for fields that later versions add. */
#define LLMLAB_USAGE_CAPACITY 48

/** A set of counts. A fixed value type: copy it as you like; read and write it
 * by the functions below. */
typedef struct llmlab_usage_s {
    uint64_t present; /* bit i tells that count[i] was stated */
    uint64_t count[LLMLAB_USAGE_CAPACITY];
} llmlab_usage_t;

/** How many runs of models a reply can tell apart. Of more, those of one model
 * are added up. */
#define LLMLAB_USAGE_PARTS 8

/** What one run of a model used, where one reply is the work of several: an
 * advisor, a fallback, a compaction, a system of models. */
typedef struct llmlab_usage_part_s {
    llmlab_usage_t usage; /* token classes only */
    char model[96];       /* empty: the reply's own */
} llmlab_usage_part_t;

/** Where usage came from. */
typedef enum llmlab_usage_source_e {
    LLMLAB_USAGE_NONE = 0,
    LLMLAB_USAGE_PROVIDER = 1,
    LLMLAB_USAGE_ESTIMATED = 2
} llmlab_usage_source_t;

/** What a provider's reply says of itself. A fixed value type filled by
 * llmlab_usage_read() and the stream reader. Texts are NUL-terminated, empty
 * where the reply is silent, and cut at their array's size. */
typedef struct llmlab_reply_s {
    llmlab_usage_t usage; /* as the provider counts; where it does not, an
                             estimate of what was said, as the next tells */
    llmlab_usage_source_t usage_source;
    int complete;          /* 1: the reply ended as its protocol says */
    int is_stream;         /* 1: SSE, NDJSON or an event stream */
    int is_error;          /* 1: the body (even of a 200) is an error */
    int has_provider_cost; /* 1: provider_cost holds the stated charge */
    int is_batch;          /* 1: served as a batch, at its prices */
    int is_byok;           /* 1: the charge excludes the user's own key */
    int tool_calls;        /* tools the model asked for; -1: unknown */
    int identity;          /* how input, output and total relate, see below */
    uint64_t provider_cost[2]; /* femto-USD: low, high 64 bits */
    uint64_t upstream_cost[2]; /* BYOK: what the upstream charged */
    int has_upstream_cost;
    int usage_in_headers; /* 1: the counts come from headers, not the body */
    char provider[32];    /* as asked, or found from the reply */
    char api[32];         /* as asked, or found from the reply's form */
    char model[160];      /* who served, as the reply says */
    char response_id[128];
    char finish_reason[40];
    char service_tier[32]; /* the tier SERVED, not the one asked for */
    char speed[16];        /* Anthropic: "fast" */
    char region[32];       /* Anthropic inference_geo, Azure zone, ... */
    char error_type[64];
    char error_code[64];
    char search_context[16]; /* Perplexity: the size of the search that every
                                request makes, "low", "medium", "high" */
    int64_t created_ns;      /* Unix time at which the reply says that it was
                                made, to the second; 0: unknown */
    unsigned part_count;     /* 0: usage is all there is to price */
    llmlab_usage_part_t parts[LLMLAB_USAGE_PARTS]; /* every run that is billed,
                            each at its own model's price. usage stays what
                            the reply states of itself, which may leave out
                            another model's runs (Anthropic's advisor) */
} llmlab_reply_t;

/** The identity check (llmlab_reply_t.identity): which relation of total to
 * input and output holds, so that reasoning and cache are read right. */
enum {
    LLMLAB_IDENTITY_UNKNOWN = 0,   /* no total, nothing to check */
    LLMLAB_IDENTITY_INCLUSIVE = 1, /* total = input + output */
    LLMLAB_IDENTITY_REASONING_OUTSIDE = 2,
    LLMLAB_IDENTITY_CACHE_OUTSIDE = 3,
    LLMLAB_IDENTITY_NONE = -1 /* no relation holds: provider's default used */
};

LLMLAB_BEGIN_DECLS

/** Forget all counts. NULL: no-op. */
LLMLAB_API void llmlab_usage_init(llmlab_usage_t *usage);

/** State a count. A field out of range or NULL: no-op. Any thread. */
LLMLAB_API void llmlab_usage_set(llmlab_usage_t *usage,
                                 llmlab_usage_field_t field, uint64_t count);

/** Store a stated count in *out (may be NULL) and return 1; return 0 and leave
 * *out alone when it is absent. */
LLMLAB_API int llmlab_usage_get(const llmlab_usage_t *usage,
                                llmlab_usage_field_t field, uint64_t *out);

/** A field's name on the wire, "cache_read_tokens"; NULL out of range. */
LLMLAB_API const char *llmlab_usage_field_name(llmlab_usage_field_t field);

/** The field of a name, or LLMLAB_USAGE_FIELDS when there is none. */
LLMLAB_API llmlab_usage_field_t llmlab_usage_field_find(const char *name,
                                                        size_t size);

/**
 * Read usage, model, id, finish reason, served tier, stated charge and errors
 * out of one whole reply: JSON, SSE, NDJSON or a Bedrock event stream (told
 * apart by its first bytes).
 *
 * @param out      filled in any case. A reply without counts, such as a stream
 *                 that was cut, holds an estimate of the output that it shows
 *                 (llmlab/tokens.h), marked as such in usage_source
 * @param provider "openai", "anthropic", "gemini", ...; NULL or "": found from
 *                 the reply's form
 * @param api      "chat_completions", "responses", "messages", ...; NULL or
 *                 "": found from the reply's form
 * @param body     size bytes; not kept, needs no NUL
 * @return LLMLAB_OK; LLMLAB_ENOUSAGE (readable, no usage stated in it);
 *         LLMLAB_EPARSE (detail names what is wrong; what was found before
 *         the fault stays in *out with complete = 0); LLMLAB_EOVERFLOW (a
 *         count above 2^63 - 1); LLMLAB_EINVAL (out is NULL, or body is NULL
 *         with a size)
 * Does not block, allocates nothing, any thread.
 */
LLMLAB_API llmlab_status_t llmlab_usage_read(llmlab_reply_t *out,
                                             const char *provider,
                                             const char *api, const void *body,
                                             size_t size);

/** Complete *reply by what only the request's URL tells: the model (Bedrock,
 * Vertex, Gemini, Azure deployment), the region, the provider. Fields already
 * set stay, save that Bedrock's name of the model replaces the vendor's, which
 * lacks the region that the price depends on. */
LLMLAB_API void llmlab_reply_set_url(llmlab_reply_t *reply, const char *url,
                                     size_t size);

/** Complete *reply by one reply header (request id, Bedrock token counts, ...).
 * Unknown headers are ignored; fields already set stay. */
LLMLAB_API void llmlab_reply_set_header(llmlab_reply_t *reply, const char *name,
                                        const char *value);

/** An incremental reader of one streamed reply. One thread at a time. */
typedef struct llmlab_usage_stream_s llmlab_usage_stream_t;

/** A reader for a reply of the given provider and api (NULL as above). Memory
 * is bounded whatever arrives. Returns NULL when out of memory. The caller
 * destroys it. */
LLMLAB_API llmlab_usage_stream_t *llmlab_usage_stream_new(const char *provider,
                                                          const char *api);

/** Make a reader as new again, for the next reply. Allocates nothing. */
LLMLAB_API void llmlab_usage_stream_reset(llmlab_usage_stream_t *stream,
                                          const char *provider,
                                          const char *api);

/** Take the next bytes, cut anywhere. Does not block; allocates nothing. The
 * bytes are not kept. A malformed event is skipped and remembered. */
LLMLAB_API llmlab_status_t llmlab_usage_stream_feed(
    llmlab_usage_stream_t *stream, const void *bytes, size_t size);

/** 1 once a token of output has been seen: the moment for time to first
 * token. */
LLMLAB_API int llmlab_usage_stream_started(const llmlab_usage_stream_t *stream);

/** What is known so far; *out->complete tells whether the stream reached its
 * end. May be called again after more bytes. Statuses as llmlab_usage_read. */
LLMLAB_API llmlab_status_t llmlab_usage_stream_reply(
    const llmlab_usage_stream_t *stream, llmlab_reply_t *out);

/** Frees the reader. NULL: no-op. */
LLMLAB_API void llmlab_usage_stream_destroy(llmlab_usage_stream_t *stream);

LLMLAB_END_DECLS

#endif
