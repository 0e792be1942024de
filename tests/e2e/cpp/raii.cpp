// What llmlab.hpp promises, against the shared library.
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>

#include <llmlab/llmlab.hpp>
#include <llmlab/sys/mock.h>

#define CHECK(condition)                                            \
    do {                                                            \
        if (!(condition)) {                                         \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, \
                         #condition);                               \
            std::exit(1);                                           \
        }                                                           \
    } while (0)

static_assert(!std::is_copy_constructible_v<llmlab::client>);
static_assert(!std::is_copy_constructible_v<llmlab::span>);
static_assert(std::is_nothrow_move_constructible_v<llmlab::client>);
static_assert(std::is_nothrow_move_constructible_v<llmlab::span>);
static_assert(std::is_nothrow_move_assignable_v<llmlab::config>);

// The batches of a memory client, as one text.
static std::string
take_batches(llmlab::client &client)
{
    std::string all;
    char *text = nullptr;
    std::size_t size = 0;

    CHECK(client.flush(std::chrono::seconds(5)) == LLMLAB_OK);
    while (llmlab_mock_take_batch(client.get(), &text, &size) == LLMLAB_OK) {
        all.append(text, size);
        llmlab_free(text);
    }
    return all;
}

// The step of that name, from its span_id to the next one's.
static std::string
step(const std::string &batches, const std::string &name)
{
    const std::size_t at = batches.find("\"name\":\"" + name + "\"");

    CHECK(at != std::string::npos);
    const std::size_t begin = batches.rfind("\"span_id\"", at);
    const std::size_t end = batches.find("\"span_id\"", at);
    return batches.substr(begin, end - begin);
}

static bool
has(const std::string &text, const char *part)
{
    return text.find(part) != std::string::npos;
}

struct traces_when_destroyed {
    ~traces_when_destroyed()
    {
        // Unwinding already goes on: this span is not what failed.
        llmlab::span span("cleanup");
    }
};

static void
exceptions(llmlab::client &client)
{
    try {
        llmlab::trace trace(client, "thrown_through");
        llmlab::span span("thrown_in", LLMLAB_SPAN_TOOL);
        traces_when_destroyed object;

        throw std::runtime_error("no");
    } catch (const std::exception &) {
        llmlab::trace trace(client, "in_handler");
    }
    CHECK(llmlab_span_current() == nullptr);

    const std::string batches = take_batches(client);
    CHECK(has(step(batches, "thrown_in"), "\"status\":\"error\""));
    CHECK(has(step(batches, "thrown_in"), "\"type\":\"exception\""));
    CHECK(has(step(batches, "thrown_through"), "\"status\":\"error\""));
    CHECK(has(step(batches, "cleanup"), "\"status\":\"success\""));
    CHECK(has(step(batches, "in_handler"), "\"status\":\"success\""));
}

static llmlab::span
make_span()
{
    return llmlab::span("made_elsewhere");
}

static void
scopes(llmlab::client &client)
{
    {
        llmlab::trace trace(client, "scopes");
        llmlab_span_t *outer = llmlab_span_current();

        CHECK(outer != nullptr && outer == trace.get());
        {
            llmlab::span span("ended_early");
            CHECK(llmlab_span_current() == span.get());
            CHECK(span.end() == LLMLAB_OK);
            CHECK(span.end() == LLMLAB_EINVAL);
            CHECK(llmlab_span_current() == outer);
            span.set("after", "the end").user("nobody");
        }
        {
            llmlab::span first = make_span();
            llmlab::span second(std::move(first));
            CHECK(first.get() == nullptr);
            CHECK(llmlab_span_current() == second.get());
            second.set("text", "t").set("whole", 7u).set("yes", true);
            second.set("ratio", 0.5f).set("view", std::string_view("v"));
        }
        CHECK(llmlab_span_current() == outer);
        std::thread([&trace] {
            CHECK(llmlab_span_current() == nullptr);
            llmlab::span span(trace, "other_thread");
            llmlab::span below("below_other_thread");
        }).join();
        CHECK(trace.traceparent().size() == 55);
    }
    CHECK(llmlab_span_current() == nullptr);
    {
        llmlab::span span("without_a_trace");
        CHECK(span.get() == nullptr);
    }

    const std::string batches = take_batches(client);
    const std::string made = step(batches, "made_elsewhere");
    CHECK(has(made, "\"text\":\"t\"") && has(made, "\"whole\":7"));
    CHECK(has(made, "\"yes\":true") && has(made, "\"ratio\":0.5"));
    CHECK(!has(batches, "nobody") && !has(batches, "without_a_trace"));
    CHECK(!has(step(batches, "below_other_thread"), "\"parent_id\":null"));
}

static void
one_shot(llmlab::client &client)
{
    std::string model = "our-own-7b";
    llmlab_call_t call;

    llmlab_call_init(&call);
    call.name = LLMLAB_TEXT("finished_call");
    call.model = llmlab::text(model);
    call.finish_reason = llmlab::text("stop");
    CHECK(client.record(call) == LLMLAB_OK);
    const std::string batches = take_batches(client);
    CHECK(has(step(batches, "finished_call"), "\"model\":\"our-own-7b\""));
}

static void
disabled()
{
    llmlab::client client(llmlab::config().set("enabled", "false"));

    CHECK(client.status() == LLMLAB_EDISABLED && !client.enabled());
    llmlab::trace trace(client, "nothing");
    llmlab::span span("nothing", LLMLAB_SPAN_LLM);
    span.set("a", 1).tag("t").error("e");
    CHECK(span.response("openai", nullptr, "{}") != LLMLAB_OK);
    CHECK(trace.get() == nullptr && span.get() == nullptr);
    CHECK(client.stats().accepted == 0);
}

static void
bad_setting()
{
    llmlab::config config;

    config.set("exporter", "memory").set("batch.max_calls", "none");
    CHECK(config.status() == LLMLAB_ECONFIG);
    llmlab::client client(config);
    CHECK(client.status() == LLMLAB_ECONFIG);
}

static void
stream()
{
    llmlab::stream_reader reader("openai", "chat_completions");
    llmlab::stream_reader moved(std::move(reader));
    llmlab_reply_t reply;

    CHECK(moved.feed("data: {\"model\":\"gpt-4o\",\"choices\":[],\"usage\":{"
                     "\"prompt_tokens\":3,\"completion_tokens\":2,"
                     "\"total_tokens\":5}}\n\ndata: [DONE]\n\n") == LLMLAB_OK);
    CHECK(moved.reply(reply) == LLMLAB_OK && reply.complete == 1);
    CHECK(std::string(reply.model) == "gpt-4o");
}

int
main()
{
    llmlab::client first(llmlab::config().set("exporter", "memory"));
    llmlab::client client(std::move(first));

    CHECK(client.status() == LLMLAB_OK && client.enabled());
    CHECK(first.get() == nullptr);
    exceptions(client);
    scopes(client);
    one_shot(client);
    disabled();
    bad_setting();
    stream();
    CHECK(client.stats().open_spans == 0);
    CHECK(client.close(std::chrono::seconds(5)) == LLMLAB_OK);
    std::puts("ok");
}
