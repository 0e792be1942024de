/* C++17 over llmlab.h: spans that end with their scope, exceptions included.
 * Nothing here throws because of tracing: what fails is told by a status, and
 * spans on a client that could not be opened are cheap no-ops.
 *
 *   llmlab::client client(llmlab::config().set("project", "support-bot"));
 *   {
 *       llmlab::trace trace(client, "answer_question");
 *       llmlab::span span("answer", LLMLAB_SPAN_LLM);
 *       auto reply = call_model(prompt);   // a throw marks both as failed
 *       span.response("openai", "chat_completions", reply);
 *   }
 */
#ifndef LLMLAB_LLMLAB_HPP
#define LLMLAB_LLMLAB_HPP

#include <chrono>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <llmlab/llmlab.h>

namespace llmlab
{

/** Text for a llmlab_call_t, borrowed. */
inline llmlab_text_t
text(std::string_view view) noexcept
{
    return {view.data(), view.size()};
}

/** An amount as an exact decimal of USD. */
inline std::string
to_string(llmlab_money_t money)
{
    char text[LLMLAB_MONEY_TEXT];

    return std::string(text, llmlab_money_format(money, text));
}

/** Settings by name. The first failure stays in status(). */
class config
{
  public:
    config() noexcept : config_(llmlab_config_new())
    {
        status_ = config_ != nullptr ? LLMLAB_OK : LLMLAB_ENOMEM;
    }
    config(config &&other) noexcept
        : config_(std::exchange(other.config_, nullptr)), status_(other.status_)
    {
    }
    config &
    operator=(config &&other) noexcept
    {
        std::swap(config_, other.config_);
        std::swap(status_, other.status_);
        return *this;
    }
    config(const config &) = delete;
    config &operator=(const config &) = delete;
    ~config()
    {
        llmlab_config_destroy(config_);
    }

    config &
    set(std::string_view name, std::string_view value) &noexcept
    {
        const llmlab_status_t status = llmlab_config_set_n(
            config_, name.data(), name.size(), value.data(), value.size());

        status_ = status_ == LLMLAB_OK ? status : status_;
        return *this;
    }
    config &&
    set(std::string_view name, std::string_view value) &&noexcept
    {
        set(name, value);
        return std::move(*this);
    }

    llmlab_status_t
    status() const noexcept
    {
        return status_;
    }
    llmlab_config_t *
    get() const noexcept
    {
        return config_;
    }

  private:
    llmlab_config_t *config_;
    llmlab_status_t status_ = LLMLAB_OK;
};

/** A client, closed with its scope. All spans must have ended before. */
class client
{
  public:
    using milliseconds = std::chrono::milliseconds;

    client() noexcept
    {
        status_ = llmlab_client_open(&client_, nullptr);
    }
    explicit client(const config &settings) noexcept
    {
        status_ = llmlab_client_open(&client_, settings.get());
        if (settings.status() != LLMLAB_OK) {
            status_ = settings.status();
        }
    }
    client(client &&other) noexcept
        : client_(std::exchange(other.client_, nullptr)), status_(other.status_)
    {
    }
    client &
    operator=(client &&other) noexcept
    {
        std::swap(client_, other.client_);
        std::swap(status_, other.status_);
        return *this;
    }
    client(const client &) = delete;
    client &operator=(const client &) = delete;
    ~client()
    {
        close(milliseconds(2000));
    }

    /** How opening went. */
    llmlab_status_t
    status() const noexcept
    {
        return status_;
    }
    bool
    enabled() const noexcept
    {
        return llmlab_client_enabled(client_) != 0;
    }
    llmlab_status_t
    flush(milliseconds timeout, llmlab_flush_result_t *out = nullptr) noexcept
    {
        return llmlab_client_flush(client_, timeout.count(), out);
    }
    llmlab_status_t
    close(milliseconds timeout) noexcept
    {
        return llmlab_client_close(std::exchange(client_, nullptr),
                                   timeout.count());
    }
    llmlab_stats_t
    stats() const noexcept
    {
        llmlab_stats_t stats;

        llmlab_stats_init(&stats);
        llmlab_client_stats(client_, &stats);
        return stats;
    }
    llmlab_status_t
    record(const llmlab_call_t &call) noexcept
    {
        return llmlab_record_call(client_, &call);
    }
    llmlab_client_t *
    get() const noexcept
    {
        return client_;
    }

  private:
    llmlab_client_t *client_ = nullptr;
    llmlab_status_t status_ = LLMLAB_OK;
};

/** A step that is current from here to the end of its scope, where it ends. If
 * an exception leaves the scope, the step is marked as failed. Belongs to one
 * thread: continue a trace on another by llmlab::span(parent, ...) there. */
class span
{
  public:
    /** Below the thread's current span; nothing where there is none. */
    explicit span(const char *name,
                  llmlab_span_kind_t kind = LLMLAB_SPAN_GENERIC) noexcept
        : span(below(llmlab_span_current(), name, kind))
    {
    }
    /** Below a span that may belong to another thread; it must not end before
     * this one. */
    span(const span &parent, const char *name,
         llmlab_span_kind_t kind = LLMLAB_SPAN_GENERIC) noexcept
        : span(below(parent.span_, name, kind))
    {
    }
    span(span &&other) noexcept
        : span_(std::exchange(other.span_, nullptr)), token_(other.token_),
          exceptions_(other.exceptions_)
    {
    }
    span(const span &) = delete;
    span &operator=(const span &) = delete;
    span &operator=(span &&) = delete;
    ~span()
    {
        if (span_ != nullptr && std::uncaught_exceptions() > exceptions_) {
            llmlab_span_set_error(span_, "exception", nullptr, 0);
        }
        end();
    }

    /** End before the scope does. */
    llmlab_status_t
    end() noexcept
    {
        if (span_ == nullptr) {
            return LLMLAB_EINVAL;
        }
        llmlab_context_detach(&token_);
        return llmlab_span_end(std::exchange(span_, nullptr));
    }

    span &
    set(std::string_view key, std::string_view value) noexcept
    {
        llmlab_span_set_string_n(span_, key.data(), key.size(), value.data(),
                                 value.size());
        return *this;
    }
    /* A template, because a pointer would convert to bool before it converts
     * to string_view. */
    template <typename T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
    span &
    set(std::string_view key, T value) noexcept
    {
        if constexpr (std::is_same_v<T, bool>) {
            llmlab_span_set_bool_n(span_, key.data(), key.size(), value);
        } else if constexpr (std::is_integral_v<T>) {
            llmlab_span_set_int_n(span_, key.data(), key.size(),
                                  static_cast<std::int64_t>(value));
        } else {
            llmlab_span_set_double_n(span_, key.data(), key.size(),
                                     static_cast<double>(value));
        }
        return *this;
    }
    span &
    agent(std::string_view name) noexcept
    {
        llmlab_span_set_agent(span_, name.data(), name.size());
        return *this;
    }
    span &
    user(std::string_view id) noexcept
    {
        llmlab_span_set_user(span_, id.data(), id.size());
        return *this;
    }
    span &
    session(std::string_view id) noexcept
    {
        llmlab_span_set_session(span_, id.data(), id.size());
        return *this;
    }
    span &
    tag(std::string_view name) noexcept
    {
        llmlab_span_add_tag(span_, name.data(), name.size());
        return *this;
    }
    span &
    outcome(llmlab_outcome_t outcome) noexcept
    {
        llmlab_span_set_outcome(span_, outcome);
        return *this;
    }
    span &
    error(const char *type, const char *code = nullptr,
          int http_status = 0) noexcept
    {
        llmlab_span_set_error(span_, type, code, http_status);
        return *this;
    }
    span &
    model(const char *provider, const char *name) noexcept
    {
        llmlab_span_set_model(span_, provider, name);
        return *this;
    }
    span &
    usage(const llmlab_usage_t &usage) noexcept
    {
        llmlab_span_set_usage(span_, &usage);
        return *this;
    }
    span &
    cost(llmlab_money_t charge) noexcept
    {
        llmlab_span_set_cost(span_, charge);
        return *this;
    }
    span &
    first_token() noexcept
    {
        llmlab_span_first_token(span_);
        return *this;
    }
    span &
    input(std::string_view text) noexcept
    {
        llmlab_span_set_input(span_, text.data(), text.size());
        return *this;
    }
    span &
    output(std::string_view text) noexcept
    {
        llmlab_span_set_output(span_, text.data(), text.size());
        return *this;
    }

    /** Model, tokens and cost out of a provider's reply. */
    llmlab_status_t
    response(const char *provider, const char *api,
             std::string_view body) noexcept
    {
        return llmlab_span_set_response(span_, provider, api, body.data(),
                                        body.size());
    }
    llmlab_status_t
    reply(const llmlab_reply_t &reply) noexcept
    {
        return llmlab_span_set_reply(span_, &reply);
    }

    /** The cost computed so far. */
    llmlab_status_t
    cost(llmlab_cost_t &out) const noexcept
    {
        return llmlab_span_cost(span_, &out);
    }
    /** The header that continues this trace in another process. */
    std::string
    traceparent() const
    {
        char text[LLMLAB_TRACEPARENT_TEXT];

        llmlab_span_traceparent(span_, text);
        return text;
    }
    /** For the C functions that have no twin here. NULL: not recorded. */
    llmlab_span_t *
    get() const noexcept
    {
        return span_;
    }

  protected:
    explicit span(llmlab_span_t *started) noexcept
        : span_(started), exceptions_(std::uncaught_exceptions())
    {
        if (span_ != nullptr) {
            llmlab_context_attach(span_, &token_);
        }
    }

  private:
    static llmlab_span_t *
    below(llmlab_span_t *parent, const char *name,
          llmlab_span_kind_t kind) noexcept
    {
        return parent == nullptr ? nullptr
                                 : llmlab_span_start(llmlab_span_client(parent),
                                                     parent, name, kind);
    }

    llmlab_span_t *span_;
    llmlab_context_token_t token_{};
    int exceptions_;
};

/** A run of an agent: a new trace, whatever is current. */
class trace : public span
{
  public:
    trace(const client &client, const char *name) noexcept
        : span(
              llmlab_span_start(client.get(), nullptr, name, LLMLAB_SPAN_AGENT))
    {
    }
    /** One that began in another process. */
    trace(const client &client, const char *name,
          const char *traceparent) noexcept
        : span(llmlab_span_start_remote(client.get(), traceparent, name,
                                        LLMLAB_SPAN_AGENT))
    {
    }
};

/** Reads one streamed reply as it arrives. */
class stream_reader
{
  public:
    explicit stream_reader(const char *provider = nullptr,
                           const char *api = nullptr) noexcept
        : stream_(llmlab_usage_stream_new(provider, api))
    {
    }
    stream_reader(stream_reader &&other) noexcept
        : stream_(std::exchange(other.stream_, nullptr))
    {
    }
    stream_reader &
    operator=(stream_reader &&other) noexcept
    {
        std::swap(stream_, other.stream_);
        return *this;
    }
    stream_reader(const stream_reader &) = delete;
    stream_reader &operator=(const stream_reader &) = delete;
    ~stream_reader()
    {
        llmlab_usage_stream_destroy(stream_);
    }

    llmlab_status_t
    feed(std::string_view bytes) noexcept
    {
        return llmlab_usage_stream_feed(stream_, bytes.data(), bytes.size());
    }
    bool
    started() const noexcept
    {
        return llmlab_usage_stream_started(stream_) != 0;
    }
    llmlab_status_t
    reply(llmlab_reply_t &out) const noexcept
    {
        return llmlab_usage_stream_reply(stream_, &out);
    }

  private:
    llmlab_usage_stream_t *stream_;
};

} // namespace llmlab

#endif
