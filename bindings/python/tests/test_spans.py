import asyncio
import concurrent.futures
import gc
import inspect
import logging
import threading
from decimal import Decimal

import pytest

import llmlab
from llmlab import span, trace

REPLY = {"object": "chat.completion", "model": "gpt-4o-mini-2024-07-18",
         "usage": {"prompt_tokens": 1200, "completion_tokens": 80,
                   "total_tokens": 1280}}
COST = Decimal("0.000228")


def names(captured):
    return [step["name"] for step in captured.spans]


def parent_of(captured, name):
    step = captured.span(name)
    for other in captured.spans:
        if other["span_id"] == step.get("parent_id"):
            return other["name"]
    return None


def test_a_run_of_an_agent(captured):
    @trace(tags=["production"])
    def my_agent(question):
        with span("search", kind="tool") as step:
            step.set("docs", 3)
        with span("answer", kind="llm") as step:
            step.set_response(REPLY)
            assert step.cost == COST
        return question * 2

    assert my_agent("ab") == "abab"
    assert names(captured) == ["search", "answer", "my_agent"]
    assert {s["trace_id"] for s in captured.spans} == {
        captured.span("my_agent")["trace_id"]}
    assert captured.span("my_agent")["type"] == "agent"
    assert captured.span("search")["attributes"] == {"docs": 3}
    assert all(s["tags"] == ["production"] and s["agent"] == "my_agent"
               for s in captured.spans)
    assert captured.cost_usd == COST
    assert "input" not in captured.span("my_agent")


def test_forms_of_trace(captured):
    @trace
    def bare(): return 1

    @trace("other")
    def named(): return 2

    @trace(name="third", user="u")
    def keyword(): return 3

    @span("step", kind="tool")
    def tool(): return 4

    class Agent:
        @trace
        def method(self): return 5

        @staticmethod
        @trace
        def static(): return 6

    assert [bare(), named(), keyword(), tool(), tool(), Agent().method(),
            Agent.static()] == [1, 2, 3, 4, 4, 5, 6]
    assert names(captured) == ["bare", "other", "third", "step", "step",
                               "method", "static"]
    assert captured.span("third")["user"] == "u"
    assert bare.__name__ == "bare"


def test_nesting_and_roots(captured):
    with trace("outer"):
        with trace("inner"):
            pass
        with trace("apart", root=True):
            pass
        with span("below"):
            pass
    assert parent_of(captured, "inner") == "outer"
    assert parent_of(captured, "apart") is None
    assert parent_of(captured, "below") == "outer"
    assert (captured.span("apart")["trace_id"] !=
            captured.span("outer")["trace_id"])


def test_errors(captured):
    with pytest.raises(ZeroDivisionError):
        with trace("bad"):
            1 / 0
    with pytest.raises(KeyboardInterrupt):
        with trace("stopped"):
            raise KeyboardInterrupt
    step = captured.span("bad")
    assert step["status"] == "error"
    assert step["error"]["type"] == "ZeroDivisionError"
    assert "division" not in str(step)
    assert captured.span("stopped")["status"] == "cancelled"


def test_everything_a_span_takes(captured):
    with span("s", kind="llm", user="u", session="t", tags=["a"],
              attributes={"x": 1}) as s:
        s.set("b", True)
        s.set("f", 0.5)
        s.set("n", None)
        s.set("big", 2**70)
        s.set("d", Decimal("1.5"))
        s.set("l", [1, "\u00e4"])
        s.set_model("gpt-4o-mini", "openai")
        s.set_request_model("gpt-4o")
        s.set_usage(input_tokens=1200, output_tokens=80)
        s.set_tier("default", "eu")
        s.set_finish("stop", "id-1")
        s.set_prompt("p", "3")
        s.set_attempt(2)
        s.set_stream()
        s.first_token()
        assert s.cost == COST
        s.set_cost("0.5")
        assert len(s.trace_id) == 32 and len(s.span_id) == 16
        assert s.trace_id in s.traceparent
    step = captured.span("s")
    assert step["attributes"] == {"x": 1, "b": True, "f": 0.5,
                                  "big": str(2**70), "d": "1.5",
                                  "l": '[1, "\\u00e4"]'}
    assert (step["user"], step["session"], step["tags"]) == ("u", "t", ["a"])
    assert step["model"] == "gpt-4o-mini" and step["attempt"] == 2
    assert step["prompt"] == {"name": "p", "version": "3"}
    assert step["ttft_ms"] >= 0
    assert Decimal(step["provider_cost"]) == Decimal("0.5")


def test_scores(captured):
    with trace("run") as run:
        with span("answer", kind="llm") as step:
            assert step.score("fluent", 0.75, source="judge", version="2",
                              comment="it is")
    assert run.score("helpful", True, source="user")
    assert llmlab.score("mood", "good", trace_id=run.trace_id)
    assert llmlab.score("late", 1, trace_id="0" * 31 + "1",
                        at="2026-08-21T07:00:00Z")
    fluent, helpful, mood, late = captured.scores
    assert (fluent["value"], fluent["source"]) == (0.75, "judge")
    assert fluent["span_id"] == captured.span("answer")["span_id"]
    assert "comment" not in fluent
    assert (helpful["value"], helpful["label"]) == (1, "true")
    assert "span_id" not in mood and "value" not in mood
    assert mood["label"] == "good"
    assert late["at"].startswith("2026-08-21T07:00:00")
    assert len(captured.spans) == 2
    for value in (float("nan"), None, [1]):
        with pytest.raises(llmlab.LLMLabError):
            llmlab.score("bad", value, trace_id=run.trace_id)
    with pytest.raises(llmlab.LLMLabError):
        llmlab.score("bad", 1, trace_id="no id")


def test_a_comment_is_text():
    with llmlab.testing.capture(capture_content="full",
                                mask=lambda text: text.upper()) as captured:
        llmlab.score("x", 1, trace_id="1" * 32, comment="as i said")
    assert captured.scores[0]["comment"] == "AS I SAID"


def test_requests_estimates_and_searches():
    with llmlab.testing.capture(fingerprint="request") as captured:
        with span("ask", kind="llm") as step:
            step.set_request({"model": "sonar", "messages": [
                {"role": "user", "content": "hello"}]}, "perplexity")
            step.set_model("sonar", "perplexity")
            step.set_estimated_usage(
                input_tokens=llmlab.estimate_tokens("hello"),
                output_tokens=0)
            step.set_search_context("low")
    step = captured.span("ask")
    assert len(step["fingerprint"]) == 32
    assert step["search_context"] == "low"
    assert step["cost_detail"]["usage_source"] == "estimated"
    assert llmlab.estimate_tokens("") == 0


def test_traceparent(captured):
    with trace("here") as here:
        header = here.traceparent
    with trace("there", traceparent=header):
        pass
    assert parent_of(captured, "there") == "here"
    with trace("malformed", traceparent="zz"):
        pass
    assert parent_of(captured, "malformed") is None


# The four sorts of functions.

def test_sorts_stay_what_they_are():
    @trace
    def a(): ...
    @trace
    async def b(): ...
    @trace
    def c(): yield
    @trace
    async def d(): yield

    assert not inspect.iscoroutinefunction(a)
    assert inspect.iscoroutinefunction(b)
    assert inspect.isgeneratorfunction(c)
    assert inspect.isasyncgenfunction(d)


async def test_coroutines(captured):
    @trace
    async def good():
        await asyncio.sleep(0)
        with span("inside"):
            return 7

    @trace
    async def bad():
        raise ValueError

    @trace
    async def slow():
        await asyncio.sleep(60)

    assert await good() == 7
    with pytest.raises(ValueError):
        await bad()
    task = asyncio.create_task(slow())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert parent_of(captured, "inside") == "good"
    assert captured.span("bad")["status"] == "error"
    assert captured.span("slow")["status"] == "cancelled"


def test_generators(captured):
    got = []

    @trace
    def talk():
        try:
            got.append((yield 1))
            with span("inside"):
                try:
                    yield 2
                except KeyError:
                    got.append("key")
                    yield 3
        finally:
            got.append("end")
        return 9

    def consumer():
        return (yield from talk())

    talker = consumer()
    assert next(talker) == 1
    with span("consumer"):
        assert talker.send("sent") == 2
    assert not llmlab.current_span()
    assert talker.throw(KeyError()) == 3
    with pytest.raises(StopIteration) as stop:
        next(talker)
    assert stop.value.value == 9
    assert got == ["sent", "key", "end"]
    assert parent_of(captured, "inside") == "talk"
    assert parent_of(captured, "consumer") is None
    assert captured.span("talk")["status"] == "success"


def test_a_generator_left_early(captured):
    closed = []

    @trace
    def endless():
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    for _ in endless():
        break
    gc.collect()
    assert closed == [True]
    assert captured.span("endless")["status"] == "success"

    @trace
    def failing():
        yield 1
        raise ValueError

    with pytest.raises(ValueError):
        list(failing())
    assert captured.span("failing")["status"] == "error"


async def test_async_generators(captured):
    closed = []

    @trace
    async def count(n):
        try:
            for i in range(n):
                with span(f"item {i}"):
                    yield i
        finally:
            closed.append(n)

    assert [i async for i in count(2)] == [0, 1]
    left = count(5)
    async for i in left:
        with span("consumer"):
            pass
        break
    await left.aclose()
    assert closed == [2, 5]
    assert parent_of(captured, "item 1") == "count"
    assert parent_of(captured, "consumer") is None

    @trace
    async def failing():
        yield 1
        raise ValueError

    with pytest.raises(ValueError):
        async for _ in failing():
            pass
    assert captured.span("failing")["status"] == "error"


# The current span in other tasks and threads.

async def test_tasks(captured):
    @span("leaf")
    async def leaf(): await asyncio.sleep(0.001)

    async def branch(i):
        async with span(f"branch {i}"):
            await asyncio.gather(leaf(), leaf())
            await asyncio.to_thread(lambda: span("thread").start().end())

    with trace("root"):
        await asyncio.gather(*(branch(i) for i in range(5)))
    parents = {s["span_id"]: s["name"] for s in captured.spans}
    for step in captured.spans:
        if step["name"] in ("leaf", "thread"):
            assert parents[step["parent_id"]].startswith("branch")
        elif step["name"].startswith("branch"):
            assert parents[step["parent_id"]] == "root"


def test_executors(captured):
    def work(): span("worked").start().end()

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        with trace("root"):
            list(pool.map(llmlab.propagate(lambda _: work()), range(8)))
            pool.submit(work).result()
    root = captured.span("root")["span_id"]
    below = [s.get("parent_id") == root for s in captured.spans
             if s["name"] == "worked"]
    assert sorted(below) == [False] + [True] * 8


async def test_a_task_that_outlives_its_parent(captured):
    async def late():
        await asyncio.sleep(0.01)
        with span("late"):
            pass

    with trace("root", user="u1"):
        task = asyncio.create_task(late())
    await task
    assert parent_of(captured, "late") == "root"
    assert captured.span("late")["user"] == "u1"


def test_threads(captured):
    def hammer():
        for _ in range(200):
            with trace("t") as t, span("s") as s:
                t.set("k", 1)
                s.set("k", "v")

    threads = [threading.Thread(target=hammer) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(captured.spans) == 8 * 200 * 2


def test_trace_ids_in_logs(captured):
    record = logging.LogRecord("x", 20, "f", 1, "m", None, None)
    ids = llmlab.TraceIdFilter()
    with trace("t") as t:
        assert ids.filter(record)
        assert (record.trace_id, record.span_id) == (t.trace_id, t.span_id)
    ids.filter(record)
    assert record.trace_id == ""


# Nothing leaks.

def test_memory_is_flat(captured):
    import resource

    def some(n):
        for _ in range(n):
            with trace("t") as t, span("s"):
                t.set("k", "v")
        captured.client.flush()
        while llmlab._llmlab_native.llmlab_bind_take_batch(
                captured.client._handle) is not None:
            pass

    some(3000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(10):
        some(3000)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 8 * 1024  # KiB
