/* Spans: a step of an agent's run, measured from start to end. Setting and
 * ending never blocks, never allocates after warm-up, makes no system call but
 * the wake-up of a parked worker. Signal handlers: a thread that is not warm
 * allocates, so a handler that interrupts malloc must not record; one that
 * interrupts a function of this header is refused and counted (reentered). */
#ifndef LLMLAB_SPAN_H
#define LLMLAB_SPAN_H

#include <stddef.h>
#include <stdint.h>

#include <llmlab/client.h>
#include <llmlab/export.h>
#include <llmlab/pricing.h>
#include <llmlab/status.h>
#include <llmlab/text.h>
#include <llmlab/usage.h>

/** Kinds of step: X(enumerator, value, name on the wire). */
#define LLMLAB_SPAN_KIND_MAP(X)  \
    X(GENERIC, 0, "span")        \
    X(AGENT, 1, "agent")         \
    X(LLM, 2, "llm_call")        \
    X(TOOL, 3, "tool_call")      \
    X(RETRIEVAL, 4, "retrieval") \
    X(EMBEDDING, 5, "embedding") \
    X(RERANK, 6, "rerank")       \
    X(CHAIN, 7, "chain")         \
    X(GUARDRAIL, 8, "guardrail") \
    X(EVALUATOR, 9, "evaluator")

typedef enum llmlab_span_kind_e {
#define LLMLAB_SPAN_KIND_ENUM_(name, value, wire) LLMLAB_SPAN_##name = value,
    LLMLAB_SPAN_KIND_MAP(LLMLAB_SPAN_KIND_ENUM_)
#undef LLMLAB_SPAN_KIND_ENUM_
        LLMLAB_SPAN_KINDS = 10
} llmlab_span_kind_t;

typedef enum llmlab_outcome_e {
    LLMLAB_UNSET = 0, /* taken as success when the span ends */
    LLMLAB_SUCCESS = 1,
    LLMLAB_ERROR = 2,
    LLMLAB_CANCELLED = 3
} llmlab_outcome_t;

/** A span that has not ended. Belongs to the process that started it; any one
 * thread at a time may set and end it. */
typedef struct llmlab_span_s llmlab_span_t;

/** The length of a W3C traceparent with its NUL. */
#define LLMLAB_TRACEPARENT_TEXT 56

/** A finished call, for llmlab_record_call(). Zero and empty mean "not stated".
 * Texts are copied before that returns. */
typedef struct llmlab_call_s {
    size_t struct_size;          /* set by llmlab_call_init() */
    const llmlab_span_t *parent; /* NULL: a trace of its own */
    llmlab_span_kind_t kind;     /* LLMLAB_SPAN_LLM by the init */
    llmlab_outcome_t outcome;
    int64_t start_ns; /* Unix time; both 0: now */
    int64_t end_ns;
    llmlab_text_t name; /* empty: the model's name */
    llmlab_text_t provider;
    llmlab_text_t api;
    llmlab_text_t model;         /* served */
    llmlab_text_t request_model; /* asked for */
    llmlab_text_t response_id;
    llmlab_text_t finish_reason;
    const llmlab_usage_t *usage;
    const llmlab_money_t *provider_cost; /* the charge the provider stated */
    int64_t ttft_ns;                     /* 0: unknown */
    int32_t attempt;                     /* 1 is the first; 0: unknown */
    int32_t http_status;
    int batch;
    int stream;
    llmlab_text_t agent;
    llmlab_text_t user;
    llmlab_text_t session;
    llmlab_text_t service_tier;
    llmlab_text_t region;
    llmlab_text_t speed;
    llmlab_text_t error_type;
    llmlab_text_t error_code;
    llmlab_text_t traceparent;    /* used when parent is NULL */
    llmlab_text_t search_context; /* "low", "medium", "high" */
} llmlab_call_t;

LLMLAB_BEGIN_DECLS

/**
 * Start a span.
 * @param parent NULL: a new trace with this span as its root. Not the thread's
 *               current span: pass llmlab_span_current() for that
 * @param name   copied; NULL is ""
 * @return NULL when the client is NULL, disabled or out of memory: every
 *         function below takes NULL and does nothing
 */
LLMLAB_API llmlab_span_t *llmlab_span_start(llmlab_client_t *client,
                                            const llmlab_span_t *parent,
                                            const char *name,
                                            llmlab_span_kind_t kind);

/** As above with a size; name needs no NUL. */
LLMLAB_API llmlab_span_t *llmlab_span_start_n(llmlab_client_t *client,
                                              const llmlab_span_t *parent,
                                              const char *name,
                                              size_t name_size,
                                              llmlab_span_kind_t kind);

/** Start a span whose parent lives in another process, told by a W3C
 * traceparent header. A malformed or NULL one starts a new trace. */
LLMLAB_API llmlab_span_t *llmlab_span_start_remote(llmlab_client_t *client,
                                                   const char *traceparent,
                                                   const char *name,
                                                   llmlab_span_kind_t kind);

/**
 * End a span: take the time, price it, put the record into the ring. The
 * pointer is dead afterwards.
 * @return LLMLAB_OK; LLMLAB_EFULL (dropped and counted); LLMLAB_ESTALE (ended
 *         before: counted, no harm as long as the client is open);
 *         LLMLAB_EFORKED (started before a fork: counted); LLMLAB_EINVAL (NULL)
 */
LLMLAB_API llmlab_status_t llmlab_span_end(llmlab_span_t *span);

/** Give a span up: nothing is recorded. */
LLMLAB_API void llmlab_span_discard(llmlab_span_t *span);

/* Attributes. A key set twice keeps the last value at the server. Keys above
 * 255 bytes and values above 64 KiB are cut and marked. Each returns
 * LLMLAB_OK, LLMLAB_ESTALE, LLMLAB_ETOOBIG (no room left in the span: counted
 * and marked) or LLMLAB_EINVAL (NULL span or key). */
LLMLAB_API llmlab_status_t llmlab_span_set_string(llmlab_span_t *span,
                                                  const char *key,
                                                  const char *value);
LLMLAB_API llmlab_status_t llmlab_span_set_string_n(llmlab_span_t *span,
                                                    const char *key,
                                                    size_t key_size,
                                                    const char *value,
                                                    size_t value_size);
LLMLAB_API llmlab_status_t llmlab_span_set_int(llmlab_span_t *span,
                                               const char *key, int64_t value);
LLMLAB_API llmlab_status_t llmlab_span_set_int_n(llmlab_span_t *span,
                                                 const char *key,
                                                 size_t key_size,
                                                 int64_t value);
LLMLAB_API llmlab_status_t llmlab_span_set_double(llmlab_span_t *span,
                                                  const char *key,
                                                  double value);
LLMLAB_API llmlab_status_t llmlab_span_set_double_n(llmlab_span_t *span,
                                                    const char *key,
                                                    size_t key_size,
                                                    double value);
LLMLAB_API llmlab_status_t llmlab_span_set_bool(llmlab_span_t *span,
                                                const char *key, int value);
LLMLAB_API llmlab_status_t llmlab_span_set_bool_n(llmlab_span_t *span,
                                                  const char *key,
                                                  size_t key_size, int value);

/* Who and what. Agent, user, session and tags are inherited by spans started
 * below this one afterwards. Texts are copied; NULL is "". */
LLMLAB_API llmlab_status_t llmlab_span_set_agent(llmlab_span_t *span,
                                                 const char *agent,
                                                 size_t size);
LLMLAB_API llmlab_status_t llmlab_span_set_user(llmlab_span_t *span,
                                                const char *user, size_t size);
LLMLAB_API llmlab_status_t llmlab_span_set_session(llmlab_span_t *span,
                                                   const char *session,
                                                   size_t size);
LLMLAB_API llmlab_status_t llmlab_span_add_tag(llmlab_span_t *span,
                                               const char *tag, size_t size);

/** What became of the step. An error wins over a success set later. */
LLMLAB_API llmlab_status_t llmlab_span_set_outcome(llmlab_span_t *span,
                                                   llmlab_outcome_t outcome);

/** Mark as failed. type is a short class ("rate_limit", "timeout"), code the
 * provider's own; no message, because messages quote prompts. */
LLMLAB_API llmlab_status_t llmlab_span_set_error(llmlab_span_t *span,
                                                 const char *type,
                                                 const char *code,
                                                 int http_status);

/* A model call's facts. Later calls overwrite earlier ones field by field. */
LLMLAB_API llmlab_status_t llmlab_span_set_model(llmlab_span_t *span,
                                                 const char *provider,
                                                 const char *model);
LLMLAB_API llmlab_status_t llmlab_span_set_request_model(llmlab_span_t *span,
                                                         const char *model);
LLMLAB_API llmlab_status_t llmlab_span_set_usage(llmlab_span_t *span,
                                                 const llmlab_usage_t *usage);
/** Usage that nobody stated but the caller estimated
 * (llmlab_tokens_estimate()): priced, and marked as estimated wherever it is
 * shown. */
LLMLAB_API llmlab_status_t llmlab_span_set_estimated_usage(
    llmlab_span_t *span, const llmlab_usage_t *usage);
/** The charge the provider stated: it is the call's effective cost. */
LLMLAB_API llmlab_status_t llmlab_span_set_cost(llmlab_span_t *span,
                                                llmlab_money_t cost);
/** Facts that change the price; any may be NULL. */
LLMLAB_API llmlab_status_t llmlab_span_set_tier(llmlab_span_t *span,
                                                const char *service_tier,
                                                const char *region,
                                                const char *speed, int batch);
/** How much a web search takes in, where its price depends on it: "low",
 * "medium", "high". */
LLMLAB_API llmlab_status_t llmlab_span_set_search_context(llmlab_span_t *span,
                                                          const char *size);
LLMLAB_API llmlab_status_t llmlab_span_set_finish(llmlab_span_t *span,
                                                  const char *finish_reason,
                                                  const char *response_id);
LLMLAB_API llmlab_status_t llmlab_span_set_attempt(llmlab_span_t *span,
                                                   int attempt);
LLMLAB_API llmlab_status_t llmlab_span_set_stream(llmlab_span_t *span,
                                                  int stream);
/** Time to first token: the time since the span's start until now. */
LLMLAB_API llmlab_status_t llmlab_span_first_token(llmlab_span_t *span);
LLMLAB_API llmlab_status_t llmlab_span_set_prompt(llmlab_span_t *span,
                                                  const char *name,
                                                  const char *version);

/**
 * Read model, usage, cost, id, finish reason and errors out of a provider's
 * reply (JSON or a whole stream) and price it. See llmlab_usage_read(). A reply
 * without counts, such as a stream that was cut, gets estimated ones, marked so
 * (usage_source); the status says LLMLAB_ENOUSAGE all the same.
 * @return as llmlab_usage_read, or LLMLAB_EUNPRICED; the span keeps what could
 *         be read in any case
 */
LLMLAB_API llmlab_status_t llmlab_span_set_response(llmlab_span_t *span,
                                                    const char *provider,
                                                    const char *api,
                                                    const void *body,
                                                    size_t size);

/** As above, from a reply that was read already (a stream reader's). */
LLMLAB_API llmlab_status_t llmlab_span_set_reply(llmlab_span_t *span,
                                                 const llmlab_reply_t *reply);

/**
 * The request as it is sent to the provider. Its text is not kept. Taken from
 * it, here, on the caller's thread: the model asked for, unless
 * llmlab_span_set_request_model() told one, which prices a reply that names
 * none (Cohere); an estimate of the prompt's tokens, used only if the reply's
 * are estimated too; and, as the setting fingerprint says, a keyed hash of the
 * prompt. docs/USAGE.md and docs/FINGERPRINTS.md tell at what cost.
 * @param provider, api  put into the span; NULL leaves them as they are
 * @param body           JSON; not kept
 * @return LLMLAB_OK; LLMLAB_EPARSE (no JSON, or no prompt in it: the span has
 *         no fingerprint); LLMLAB_ESTALE; LLMLAB_ETOOBIG; LLMLAB_EINVAL
 */
LLMLAB_API llmlab_status_t llmlab_span_set_request(llmlab_span_t *span,
                                                   const char *provider,
                                                   const char *api,
                                                   const void *body,
                                                   size_t size);

/** Prompt and reply text. Ignored unless capture.content allows it; cut with a
 * mark at capture.max_bytes. */
LLMLAB_API llmlab_status_t llmlab_span_set_input(llmlab_span_t *span,
                                                 const char *text, size_t size);
LLMLAB_API llmlab_status_t llmlab_span_set_output(llmlab_span_t *span,
                                                  const char *text,
                                                  size_t size);

/** Explicit times in Unix nanoseconds; 0 leaves the measured one. */
LLMLAB_API llmlab_status_t llmlab_span_set_times(llmlab_span_t *span,
                                                 int64_t start_ns,
                                                 int64_t end_ns);

/** The cost computed so far and where it comes from. *out is zeroed and
 * LLMLAB_EUNPRICED or LLMLAB_ENOUSAGE returned where there is none. */
LLMLAB_API llmlab_status_t llmlab_span_cost(const llmlab_span_t *span,
                                            llmlab_cost_t *out);

/** Write the W3C traceparent that continues this trace elsewhere. A NULL span
 * gives "". */
LLMLAB_API llmlab_status_t llmlab_span_traceparent(
    const llmlab_span_t *span, char out[LLMLAB_TRACEPARENT_TEXT]);

/** The trace's id as 32 hex digits, the span's as 16; NUL-terminated. */
LLMLAB_API llmlab_status_t llmlab_span_ids(const llmlab_span_t *span,
                                           char trace_id[33], char span_id[17]);

/** The client a span was started on; NULL for NULL. */
LLMLAB_API llmlab_client_t *llmlab_span_client(const llmlab_span_t *span);

/** Zeroes *call and sets struct_size and kind; NULL is a no-op. Here and member
 * by member, so that a compiler leaves out what is set afterwards, and
 * struct_size is what the program was compiled with. */
static inline void
llmlab_call_init(llmlab_call_t *call)
{
    if (call == NULL) {
        return;
    }
    call->struct_size = sizeof(*call);
    call->parent = NULL;
    call->kind = LLMLAB_SPAN_LLM;
    call->outcome = LLMLAB_UNSET;
    call->start_ns = 0;
    call->end_ns = 0;
    memset(&call->name, 0, sizeof(call->name));
    memset(&call->provider, 0, sizeof(call->provider));
    memset(&call->api, 0, sizeof(call->api));
    memset(&call->model, 0, sizeof(call->model));
    memset(&call->request_model, 0, sizeof(call->request_model));
    memset(&call->response_id, 0, sizeof(call->response_id));
    memset(&call->finish_reason, 0, sizeof(call->finish_reason));
    call->usage = NULL;
    call->provider_cost = NULL;
    call->ttft_ns = 0;
    call->attempt = 0;
    call->http_status = 0;
    call->batch = 0;
    call->stream = 0;
    memset(&call->agent, 0, sizeof(call->agent));
    memset(&call->user, 0, sizeof(call->user));
    memset(&call->session, 0, sizeof(call->session));
    memset(&call->service_tier, 0, sizeof(call->service_tier));
    memset(&call->region, 0, sizeof(call->region));
    memset(&call->speed, 0, sizeof(call->speed));
    memset(&call->error_type, 0, sizeof(call->error_type));
    memset(&call->error_code, 0, sizeof(call->error_code));
    memset(&call->traceparent, 0, sizeof(call->traceparent));
    memset(&call->search_context, 0, sizeof(call->search_context));
}

/** Record a finished call in one step. Statuses as llmlab_span_end, and
 * LLMLAB_EDISABLED. */
LLMLAB_API llmlab_status_t llmlab_record_call(llmlab_client_t *client,
                                              const llmlab_call_t *call);

/* The thread's current span. The macros and llmlab.hpp use it; bindings do
 * not. */

/** The current span of this thread, borrowed; NULL when there is none. */
LLMLAB_API llmlab_span_t *llmlab_span_current(void);

/** What was current before an attach. A fixed value type. */
typedef struct llmlab_context_token_s {
    llmlab_span_t *previous;
    llmlab_span_t *attached;
} llmlab_context_token_t;

/** Make span current on this thread until the matching detach, which comes
 * before the span's client closes: current is a pointer, not a reference. */
LLMLAB_API llmlab_status_t llmlab_context_attach(llmlab_span_t *span,
                                                 llmlab_context_token_t *token);

/** Make current what was before. LLMLAB_ESTALE when attaches and detaches do
 * not nest: the thread's current span is then what the token says. */
LLMLAB_API llmlab_status_t
llmlab_context_detach(const llmlab_context_token_t *token);

LLMLAB_END_DECLS

#endif
