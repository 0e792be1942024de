// C++17: spans end with their scope; an exception marks them as failed.
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>

#include <llmlab/llmlab.hpp>

static std::string
call_model(bool overloaded)
{
    if (overloaded) {
        throw std::runtime_error("overloaded");
    }
    return R"({"id":"resp_1","object":"response","status":"completed",
        "model":"gpt-4.1-mini-2025-04-14","output":[],
        "usage":{"input_tokens":640,"input_tokens_details":{"cached_tokens":0},
                 "output_tokens":64,"total_tokens":704}})";
}

static void
answer(bool overloaded)
{
    llmlab::span span("answer", LLMLAB_SPAN_LLM);

    span.set("temperature", 0.2).set("tools", false).set("try", 1);
    span.response("openai", "responses", call_model(overloaded));
}

int
main()
{
    llmlab::client client(llmlab::config().set("service", "example"));

    if (client.status() != LLMLAB_OK) {
        std::fprintf(stderr, "not tracing: %s\n",
                     llmlab_status_text(client.status()));
    }
    {
        llmlab::trace trace(client, "answer_question");

        trace.user("u-17").tag("production");
        try {
            answer(true);
        } catch (const std::exception &) {
            answer(false);
        }
        std::thread([&trace] {
            llmlab::span span(trace, "log", LLMLAB_SPAN_TOOL);
        }).join();
    }
    client.flush(std::chrono::seconds(2));

    const llmlab_stats_t stats = client.stats();
    std::printf("%llu spans, cost %s USD\n",
                static_cast<unsigned long long>(stats.accepted),
                llmlab::to_string(stats.cost).c_str());
}
