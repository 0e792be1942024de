"""calls.py WHO: the time of an openai chat call whose reply is made up in the
process, first without and then with instrumentation; the minimum of many. One
JSON object on standard output, in microseconds."""

import json
import sys
import time

import httpx2
import openai

from discard import Discard

CALLS = 50
ROUNDS = 40
REPLY = json.dumps({
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1760000000,
    "model": "gpt-4o-mini-2024-07-18", "service_tier": "default",
    "choices": [{"index": 0, "finish_reason": "stop", "logprobs": None,
                 "message": {"role": "assistant", "refusal": None,
                             "content": "Rain over Bergen, yes. " * 20}}],
    "usage": {"prompt_tokens": 1200, "completion_tokens": 80,
              "total_tokens": 1280,
              "prompt_tokens_details": {"cached_tokens": 1024},
              "completion_tokens_details": {"reasoning_tokens": 0}},
}).encode()


def llmlab_calls():
    import llmlab

    client = llmlab.init(exporter="file", exporter_file="/dev/null",
                         instrument=["openai"])
    return lambda: client.flush(10)


def openllmetry_calls():
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Discard()))
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    return provider.force_flush


def langfuse_calls():
    from langfuse import Langfuse

    client = Langfuse(public_key="pk", secret_key="sk",
                      base_url="http://127.0.0.1:9", span_exporter=Discard())
    import langfuse.openai  # patches on import

    assert langfuse.openai
    return client.flush


def fastest(client, hand_over):
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter_ns()
        for _ in range(CALLS):
            client.chat.completions.create(
                model="gpt-4o-mini",
                messages=[{"role": "user", "content": "Will it rain?"}])
        best = min(best, (time.perf_counter_ns() - start) / CALLS)
        hand_over()
    return best / 1000


def main():
    transport = httpx2.MockTransport(
        lambda request: httpx2.Response(
            200, content=REPLY, headers={"content-type": "application/json"}))
    client = openai.OpenAI(
        api_key="x", base_url="http://127.0.0.1:9/v1",
        http_client=httpx2.Client(transport=transport))
    bare = fastest(client, lambda: None)
    hand_over = {"llmlab": llmlab_calls, "openllmetry": openllmetry_calls,
                 "langfuse": langfuse_calls}[sys.argv[1]]()
    traced = fastest(client, hand_over)
    print(json.dumps({"bare": bare, "traced": traced}))


main()
