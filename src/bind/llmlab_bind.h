/* The flat layer: what SWIG wraps for Python, Node and Go. Only integers,
 * doubles and (pointer, size) strings cross it; no pointer to an object, no
 * struct, no callback. Unstable: bindings are built with the library's own
 * version of this file.
 *
 *   - A client is a positive int, a span, a stream reader or an owned text a
 *     positive integer below 2^53, so that a JavaScript number holds it.
 *     Handles carry a generation: one that has ended, one that was never given
 *     out and one of another kind are clean errors, never a crash.
 *   - A result below 0 is a status code (llmlab/status.h). The detail of a
 *     thread's last error is llmlab_bind_detail(): ask on the same thread.
 *   - 0 is "nothing": span 0, client 0. Functions take it, do nothing and
 *     answer LLMLAB_EDISABLED, so that a disabled client needs no branches.
 *   - Strings are UTF-8, may hold NUL and need none. They are copied. A
 *     string of size 0 is "not stated" where a fact may be absent. What the
 *     C functions take as NUL-terminated text ends at its first NUL.
 *   - Options, records and results are JSON documents, so that a new field
 *     never breaks a binding.
 *
 * Threads: every function may be called from any thread at any time. Two
 * threads that use one span or reader at once take turns; each call is whole.
 * After a fork the child may go on using its clients; spans, readers and texts
 * of the parent are LLMLAB_EFORKED there. Only open, flush and close block: a
 * binding releases its interpreter lock in those and in no other. */
#ifndef LLMLAB_BIND_H
#define LLMLAB_BIND_H

#include <stddef.h>
#include <stdint.h>

#include <llmlab/export.h>

/* What a result means. SWIG's typemaps go by these names. */
typedef int llmlab_bind_status_t;     /* 0, or a status code below 0 */
typedef int llmlab_bind_client_t;     /* > 0, or a status code */
typedef int64_t llmlab_bind_span_t;   /* > 0; 0 when disabled; or a code */
typedef int64_t llmlab_bind_stream_t; /* > 0, or a status code */
typedef int64_t llmlab_bind_text_t;   /* > 0: take it; 0: none; or a code */

LLMLAB_BEGIN_DECLS

/* Texts. A function that answers with text gives a handle, which the caller
 * takes exactly once: data (borrowed, NUL-terminated), then free. SWIG's
 * typemaps do both and give the language's own string. */

/** A text's bytes, borrowed until llmlab_bind_text_free(); NULL for a handle
 * that is none. *out_size may be NULL. */
LLMLAB_API const char *llmlab_bind_text_data(llmlab_bind_text_t text,
                                             size_t *out_size);
LLMLAB_API llmlab_bind_status_t llmlab_bind_text_free(llmlab_bind_text_t text);

/* The library. */

/** One JSON object: version, price table, settings, statuses, usage fields,
 * cost parts, span kinds, outcomes and drop reasons, in the order of their
 * numbers. Bindings make their constants and keyword arguments from it. */
LLMLAB_API llmlab_bind_text_t llmlab_bind_info(void);

/** The detail of this thread's last error. Static per thread; never NULL. */
LLMLAB_API const char *llmlab_bind_detail(void);
/** A code's name, "LLMLAB_EINVAL", and its text. Static; never NULL. */
LLMLAB_API const char *llmlab_bind_status_name(int status);
LLMLAB_API const char *llmlab_bind_status_text(int status);

/** Take the log lines of all clients since the last poll: a JSON array of
 * {"client","level","text"}, oldest first; 0 when there are none, which costs
 * one load. At most 256 lines are kept; a last element {"skipped":n} tells how
 * many were lost. Lines of a failed open have client 0. */
LLMLAB_API llmlab_bind_text_t llmlab_bind_poll_log(void);

/* Clients. */

/**
 * Open a client.
 * @param settings one JSON object: setting names of the property table, values
 *                 strings, numbers, booleans or null (unset); "" is {}.
 *                 Variables fill what is unset
 * @return a handle, also of a client that is disabled (LLMLAB_ENABLED=0, no
 *         key): llmlab_bind_enabled() tells; LLMLAB_EPARSE; LLMLAB_ECONFIG;
 *         LLMLAB_ENOMEM; LLMLAB_EFULL (255 clients are open)
 */
LLMLAB_API llmlab_bind_client_t llmlab_bind_open(const char *settings,
                                                 size_t settings_size);

/** Flush, stop, free; spans still open are discarded. Waits for calls of other
 * threads on this client (a flush until its own deadline). Closing again
 * answers LLMLAB_ECLOSED. */
LLMLAB_API llmlab_bind_status_t llmlab_bind_close(int client,
                                                  int64_t timeout_ms);

/** Deliver what was recorded: a JSON object {"status","name","delivered",
 * "rejected","dropped","spooled","pending"}; a code only for a handle that is
 * no open client. Blocks up to timeout_ms. */
LLMLAB_API llmlab_bind_text_t llmlab_bind_flush(int client, int64_t timeout_ms);

/** 1 when spans on this client are recorded, else 0. */
LLMLAB_API int llmlab_bind_enabled(int client);

/** The ledger as JSON, see llmlab_client_stats_json(). */
LLMLAB_API llmlab_bind_text_t llmlab_bind_stats(int client);

/** The oldest batch that an exporter=memory client keeps, as JSON; 0 when
 * there is none. For users' own tests. */
LLMLAB_API llmlab_bind_text_t llmlab_bind_take_batch(int client);

/** Record a finished call: a JSON object of llmlab_call_t's names, with
 * "parent" (span handle) or "traceparent", "kind" and "outcome" by name or
 * number, times in "start_ns" and "end_ns" (number or string) or "start" and
 * "end" (RFC 3339), "usage" an object, "provider_cost" a decimal string. An
 * unknown name is LLMLAB_EINVAL: nothing is guessed. */
LLMLAB_API llmlab_bind_status_t llmlab_bind_record(int client, const char *call,
                                                   size_t call_size);

/** Record a score: {"trace_id","span_id","name","value","label","source",
 * "version","comment","at" or "at_ns"}, see llmlab_record_score(). The value
 * tells the type: a number, true or false, or a category's name. */
LLMLAB_API llmlab_bind_status_t llmlab_bind_score(int client, const char *score,
                                                  size_t score_size);

/* Spans. */

/** Start a span. parent 0: a new trace. Not recorded: 0. An ended parent is
 * LLMLAB_ESTALE unless it was kept (llmlab_bind_end_keep()); a parent of
 * another client is LLMLAB_EINVAL. */
LLMLAB_API llmlab_bind_span_t llmlab_bind_begin(int client, int64_t parent,
                                                const char *name,
                                                size_t name_size, int kind);

/** Start a span below one of another process. A malformed traceparent starts a
 * new trace. */
LLMLAB_API llmlab_bind_span_t llmlab_bind_begin_remote(
    int client, const char *traceparent, size_t traceparent_size,
    const char *name, size_t name_size, int kind);

/** End a span: price it, put it into the ring. The handle is stale then. */
LLMLAB_API llmlab_bind_status_t llmlab_bind_end(int64_t span);

/** End a span but keep its place in the trace: the handle still works as a
 * parent, which gives agent, user, session and tags, and for traceparent and
 * ids, until llmlab_bind_release(). For languages in which a task may outlive
 * the step that started it. */
LLMLAB_API llmlab_bind_status_t llmlab_bind_end_keep(int64_t span);

/** Give the handle up: discards a span that is open, forgets a kept one. */
LLMLAB_API llmlab_bind_status_t llmlab_bind_release(int64_t span);

LLMLAB_API llmlab_bind_status_t llmlab_bind_set_string(int64_t span,
                                                       const char *key,
                                                       size_t key_size,
                                                       const char *value,
                                                       size_t value_size);
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_int(int64_t span,
                                                    const char *key,
                                                    size_t key_size,
                                                    int64_t value);
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_double(int64_t span,
                                                       const char *key,
                                                       size_t key_size,
                                                       double value);
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_bool(int64_t span,
                                                     const char *key,
                                                     size_t key_size,
                                                     int value);
/** Many attributes in one crossing: a JSON object; nested values are kept as
 * JSON text, nulls are skipped. */
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_attributes(int64_t span,
                                                           const char *json,
                                                           size_t json_size);

LLMLAB_API llmlab_bind_status_t llmlab_bind_set_agent(int64_t span,
                                                      const char *agent,
                                                      size_t agent_size);
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_user(int64_t span,
                                                     const char *user,
                                                     size_t user_size);
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_session(int64_t span,
                                                        const char *session,
                                                        size_t session_size);
LLMLAB_API llmlab_bind_status_t llmlab_bind_add_tag(int64_t span,
                                                    const char *tag,
                                                    size_t tag_size);
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_outcome(int64_t span,
                                                        int outcome);
LLMLAB_API llmlab_bind_status_t
llmlab_bind_set_error(int64_t span, const char *type, size_t type_size,
                      const char *code, size_t code_size, int http_status);
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_model(int64_t span,
                                                      const char *provider,
                                                      size_t provider_size,
                                                      const char *model,
                                                      size_t model_size);
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_request_model(
    int64_t span, const char *model, size_t model_size);
/** The usual counts; -1 is "not stated". As set_usage, it replaces what was
 * stated before. */
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_tokens(
    int64_t span, int64_t input, int64_t output, int64_t cache_read,
    int64_t cache_write, int64_t reasoning);
/** A JSON object of field names and counts; nulls are absent. */
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_usage(int64_t span,
                                                      const char *json,
                                                      size_t json_size);
/** As set_usage, of counts that nobody stated but the caller estimated. */
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_estimated_usage(
    int64_t span, const char *json, size_t json_size);
/** The charge the provider stated, as a decimal of USD. */
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_cost(int64_t span,
                                                     const char *usd,
                                                     size_t usd_size);
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_tier(
    int64_t span, const char *tier, size_t tier_size, const char *region,
    size_t region_size, const char *speed, size_t speed_size, int batch);
/** See llmlab_span_set_search_context(). */
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_search_context(
    int64_t span, const char *text, size_t text_size);
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_finish(int64_t span,
                                                       const char *reason,
                                                       size_t reason_size,
                                                       const char *response_id,
                                                       size_t response_id_size);
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_attempt(int64_t span,
                                                        int attempt);
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_stream(int64_t span,
                                                       int stream);
LLMLAB_API llmlab_bind_status_t llmlab_bind_first_token(int64_t span);
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_prompt(int64_t span,
                                                       const char *name,
                                                       size_t name_size,
                                                       const char *version,
                                                       size_t version_size);
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_input(int64_t span,
                                                      const char *text,
                                                      size_t text_size);
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_output(int64_t span,
                                                       const char *text,
                                                       size_t text_size);
/** Unix nanoseconds; 0 leaves the measured time. They exceed 2^53: Node
 * passes BigInt. */
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_times(int64_t span,
                                                      int64_t start_ns,
                                                      int64_t end_ns);

/** See llmlab_span_set_request(): with fingerprint=off the body is not looked
 * at. */
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_request(
    int64_t span, const char *provider, size_t provider_size, const char *api,
    size_t api_size, const char *body, size_t body_size);

/** See llmlab_span_set_response(). */
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_response(
    int64_t span, const char *provider, size_t provider_size, const char *api,
    size_t api_size, const char *body, size_t body_size);

/** The cost so far, as llmlab_bind_cost() writes it. */
LLMLAB_API llmlab_bind_text_t llmlab_bind_span_cost(int64_t span);
/** The W3C header that continues the trace elsewhere: 55 characters. */
LLMLAB_API llmlab_bind_text_t llmlab_bind_traceparent(int64_t span);
/** Who a live or kept span is for: {"agent","user","session","tags":[...]},
 * each only if set. For who continues its trace in another process. */
LLMLAB_API llmlab_bind_text_t llmlab_bind_identity(int64_t span);
/** 32 and 16 hex digits. */
LLMLAB_API llmlab_bind_text_t llmlab_bind_trace_id(int64_t span);
LLMLAB_API llmlab_bind_text_t llmlab_bind_span_id(int64_t span);

/* Streamed replies. A reader belongs to no client. */

LLMLAB_API llmlab_bind_stream_t llmlab_bind_stream_new(const char *provider,
                                                       size_t provider_size,
                                                       const char *api,
                                                       size_t api_size);
/** Take the next bytes, cut anywhere. 1 once a token of output has been seen
 * (in these bytes or before), else 0, or a code. */
LLMLAB_API int llmlab_bind_stream_feed(int64_t stream, const char *bytes,
                                       size_t bytes_size);
/** What is known so far, as llmlab_bind_usage() writes it. */
LLMLAB_API llmlab_bind_text_t llmlab_bind_stream_reply(int64_t stream);
/** Put what the reader knows into a span. Statuses as set_response. */
LLMLAB_API llmlab_bind_status_t llmlab_bind_set_stream_reply(int64_t span,
                                                             int64_t stream);
LLMLAB_API llmlab_bind_status_t llmlab_bind_stream_destroy(int64_t stream);

/* Plain functions: JSON in, JSON out; no client needed. */

/** Price a call: {"provider","model","usage":{...},"service_tier","speed",
 * "region","search_context","batch","at"}; the names of the test vectors
 * ("inference_geo", "vertex_location", "data_residency",
 * "search_context_size", "at_utc") do too; other members are ignored.
 * Answers {"cost_usd","match","pricing","parts","key","table","tier","flags"};
 * cost_usd is null where nothing could be priced. */
LLMLAB_API llmlab_bind_text_t llmlab_bind_cost(const char *json,
                                               size_t json_size);

/** Read a provider's whole reply: facts are {"provider","api","url",
 * "headers":{...}}, each optional ("" is {}). Answers {"provider","api",
 * "model","usage","usage_source","complete","stream","error","cost_usd",
 * "provider_cost_usd","match","pricing",...}. A body that cannot be read
 * gives "status" and "detail" beside what was found. */
LLMLAB_API llmlab_bind_text_t llmlab_bind_usage(const char *facts,
                                                size_t facts_size,
                                                const char *body,
                                                size_t body_size);

/** About how many tokens a text is, see llmlab_tokens_estimate(). */
LLMLAB_API int64_t llmlab_bind_tokens_estimate(const char *provider,
                                               size_t provider_size,
                                               const char *text,
                                               size_t text_size);

/** Find a model in the price book: {"status","key","table"}. */
LLMLAB_API llmlab_bind_text_t llmlab_bind_resolve(const char *provider,
                                                  size_t provider_size,
                                                  const char *model,
                                                  size_t model_size);

LLMLAB_END_DECLS

#endif
