"""spans.py WHO: what a span costs the caller, without attributes and with
four; the minimum of many bursts, between which everything is handed over and
thrown away. One JSON object on standard output."""

import json
import sys
import time

from discard import Discard

BURST = 500
ROUNDS = 40
FOUR = {"docs": 3, "ok": True, "name": "search", "score": 0.5}


def llmlab_spans():
    import llmlab

    client = llmlab.init(exporter="file", exporter_file="/dev/null",
                         queue_ring_bytes=1 << 20)
    span = llmlab.span

    def bare():
        with span("step", kind="tool"):
            pass

    def four():
        with span("step", kind="tool") as step:
            step.set("docs", 3)
            step.set("ok", True)
            step.set("name", "search")
            step.set("score", 0.5)

    def at_once():
        with span("step", kind="tool", attributes=FOUR):
            pass

    def dropped():
        return sum(client.stats()["dropped"].values())

    return bare, four, at_once, lambda: client.flush(10), dropped


def opentelemetry_spans():
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(
        BatchSpanProcessor(Discard(), max_queue_size=8192))
    span = provider.get_tracer("bench").start_as_current_span

    def bare():
        with span("step"):
            pass

    def four():
        with span("step") as step:
            step.set_attribute("docs", 3)
            step.set_attribute("ok", True)
            step.set_attribute("name", "search")
            step.set_attribute("score", 0.5)

    def at_once():
        with span("step", attributes=FOUR):
            pass

    return bare, four, at_once, provider.force_flush, lambda: 0


def langfuse_spans():
    from langfuse import Langfuse

    client = Langfuse(public_key="pk", secret_key="sk",
                      base_url="http://127.0.0.1:9", span_exporter=Discard())
    span = client.start_as_current_observation

    def bare():
        with span(name="step", as_type="tool"):
            pass

    def four():
        with span(name="step", as_type="tool") as step:
            step.update(metadata=FOUR)

    def at_once():
        with span(name="step", as_type="tool", metadata=FOUR):
            pass

    return bare, four, at_once, client.flush, lambda: 0


def fastest(work, hand_over):
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter_ns()
        for _ in range(BURST):
            work()
        best = min(best, (time.perf_counter_ns() - start) / BURST)
        hand_over()
    return best


def main():
    *works, hand_over, dropped = {
        "llmlab": llmlab_spans, "opentelemetry": opentelemetry_spans,
        "langfuse": langfuse_spans}[sys.argv[1]]()
    times = [fastest(work, hand_over) for work in works]
    print(json.dumps({"bare": times[0], "four": times[1], "at_once": times[2],
                      "dropped": dropped()}))


main()
