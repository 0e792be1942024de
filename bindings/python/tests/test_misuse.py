"""Every public function, whatever it is given: an exception that says so where
the client is strict, a drop that is counted otherwise, and never a crash."""

import asyncio
import contextvars
import inspect
import logging
import pathlib
import threading
from decimal import Decimal

import pytest

import llmlab
from llmlab import LLMLab, LLMLabError, Span, span, trace


class Broken:
    """Nothing can be done with it."""

    def __getattribute__(self, name):
        if name in ("__class__",):
            return object.__getattribute__(self, name)
        raise RuntimeError("broken")

    def __str__(self):
        raise RuntimeError("broken")

    __repr__ = __len__ = __iter__ = __int__ = __float__ = __bool__ = __str__


class Sub(str):
    pass


def deep():
    value = []
    for _ in range(100_000):
        value = [value]
    return value


def around():
    value = {}
    value["self"] = value
    return value


ODD = [None, "", "\0", "a\0b", "\ud800", "\U0001f600", "x" * 300_000, Sub("x"),
       b"", b"\xff\x00", bytearray(b"x"), memoryview(b"x"), 0, -1, 2**31, 2**53,
       2**63, -2**63 - 1, 10**400, 1.5, -0.0, float("nan"), float("inf"), True,
       Decimal("NaN"), 1j, [], [None], ["\ud800"], (), {}, {1: 2}, {"a": {1}},
       {"\ud800": "\ud800"}, set(), object(), Exception, lambda: None, range(3),
       pathlib.Path("x"), logging, Broken, Broken(), deep(), around(),
       "00-" + "0" * 32 + "-" + "0" * 16 + "-01", '{"a":', "{}", "[" * 5000]

# What each takes when it is used as it should be.
SPAN = {
    "add_tags": ("t",), "fail": (ValueError("x"),), "first_token": (),
    "score": ("good", 1.0), "set": ("k", "v"), "set_agent": ("a",),
    "set_attempt": (2,), "set_attributes": ({"k": 1},), "set_cost": ("0.5",),
    "set_error": ("E", "c", 400), "set_estimated_usage": (),
    "set_finish": ("stop", "id"), "set_input": ("x",),
    "set_model": ("gpt-4o-mini", "openai"), "set_outcome": ("success",),
    "set_output": ("x",), "set_prompt": ("p", "1"),
    "set_request": ({"model": "x"}, "openai", "chat_completions"),
    "set_request_model": ("m",),
    "set_response": ("{}", "openai", "chat_completions"),
    "set_search_context": ("low",), "set_session": ("s",),
    "set_stream": (True,), "set_tier": ("t", "r", "s", False),
    "set_times": (1, 2), "set_usage": (), "set_user": ("u",),
    "start": (), "end": (),
}
NAMED = {
    "set_usage": {"input_tokens": 1}, "set_estimated_usage": {
        "input_tokens": 1},
    "score": {"label": "x", "source": "x", "version": "1", "comment": "c",
              "at_ns": 1},
}
SPAN_KNOWS = {"cost", "span_id", "trace_id", "traceparent"}
OPTIONS = {"kind": "span", "agent": "a", "user": "u", "session": "s",
           "tags": ["t"], "attributes": {"k": 1}, "root": False,
           "traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"}
RECORD = {"name": "n", "kind": "llm_call", "provider": "openai",
          "model": "gpt-4o-mini", "usage": {"input_tokens": 1}, "user": "u",
          "start_ns": 1, "end_ns": 2}
SCORE = {"trace_id": "1" * 32, "span_id": "2" * 16, **NAMED["score"]}
CLIENT = {"trace", "span", "record", "score", "flush", "aflush", "stats",
          "close", "enabled"}
MODULE = {"aflush", "close", "cost", "current_span", "estimate_tokens",
          "flush", "init", "instrument", "propagate", "record", "resolve",
          "score", "span", "stats", "trace", "uninstrument", "usage"}
OTHER = {"log_trace_ids",  # takes nothing
         "FlushResult", "LLMLab", "LLMLabError", "Span", "TraceIdFilter",
         "testing"}
# Strict clients say what is wrong by these.
WRONG = (LLMLabError, TypeError, ValueError, KeyError, ArithmeticError,
         AttributeError, RecursionError, RuntimeError)


def public(of):
    return {name for name in dir(of) if not name.startswith("_")}


def test_nothing_is_left_out():
    assert public(Span) == set(SPAN) | SPAN_KNOWS
    assert public(LLMLab) - {"fault", "misuses", "refused", "strict"} == CLIENT
    assert set(llmlab.__all__) == MODULE | OTHER


@pytest.fixture(params=[True, False], ids=["strict", "lenient"])
def client(request):
    """A client, and how its misuse shows."""
    logging.getLogger("llmlab").setLevel(logging.CRITICAL)
    with LLMLab(exporter="memory", strict=request.param,
                capture_content="full") as client:
        yield client
    logging.getLogger("llmlab").setLevel(logging.NOTSET)


def attempt(client, function, *arguments, **named):
    """Nothing gets out of a lenient client."""
    try:
        return function(*arguments, **named)
    except WRONG:
        if not client.strict:
            raise
        return None


def variants(arguments, named):
    """The arguments with each in turn replaced by each odd value."""
    for i in range(len(arguments)):
        for odd in ODD:
            yield (*arguments[:i], odd, *arguments[i + 1:]), named
    for key in named:
        for odd in ODD:
            yield arguments, {**named, key: odd}


def alive(client):
    with client.trace("t") as step:
        step.set("k", 1)
    return client.stats()["accepted"] > 0


@pytest.mark.parametrize("name", sorted(SPAN))
def test_spans(client, name):
    for arguments, named in variants(SPAN[name], NAMED.get(name, {})):
        with client.trace("t") as step:
            attempt(client, getattr(step, name), *arguments, **named)
            assert len(step.trace_id) == 32 and step.cost != 0
            repr(step)
    assert alive(client)


@pytest.mark.parametrize("make", [
    lambda client: client.span, lambda client: client.trace,
    lambda client: span, lambda client: trace, lambda client: Span])
def test_beginnings(client, make):
    for arguments, named in variants(("n",), OPTIONS):
        step = attempt(client, make(client), *arguments, **named)
        if isinstance(step, Span):
            def use():
                with step as inner:
                    inner.set("k", 1)
                with span("below"):
                    pass
            attempt(client, use)
            assert llmlab.current_span().trace_id == ""
    assert alive(client)


def test_records_and_scores(client):
    for _, named in variants((), RECORD):
        attempt(client, client.record, **named)
        attempt(client, llmlab.record, **named)
    for arguments, named in variants(("good", 1), SCORE):
        attempt(client, client.score, *arguments, **named)
        attempt(client, llmlab.score, *arguments, **named)
    assert alive(client)


def test_times_out(client):
    for odd in ODD:
        for flush in (client.flush, llmlab.flush):
            attempt(client, flush, odd)
        attempt(client, lambda: asyncio.run(client.aflush(odd)))
        attempt(client, lambda: asyncio.run(llmlab.aflush(odd)))
        other = LLMLab(exporter="memory", strict=client.strict)
        attempt(client, other.close, odd)
        assert not other.enabled
    assert alive(client)


@pytest.mark.parametrize("function", [
    llmlab.cost, llmlab.usage, llmlab.resolve, llmlab.estimate_tokens])
def test_plain_functions(function):
    """They have an answer to give, or raise."""
    for name, parameter in inspect.signature(function).parameters.items():
        for odd in ODD:
            arguments, named = ["gpt-4o-mini"], {}
            if parameter.kind is parameter.VAR_KEYWORD:
                named = {"service_tier": odd}
            elif parameter.kind is parameter.KEYWORD_ONLY:
                named = {name: odd}
            else:
                arguments = [odd]
            try:
                function(*arguments, **named)
            except WRONG:
                pass


def test_settings():
    from llmlab._settings import Settings
    logging.getLogger("llmlab").setLevel(logging.CRITICAL)
    names = ["api_key", "project", "mask", "instrument", *Settings.__annotations__]
    for name in names:
        for odd in ODD:
            with LLMLab(**{"exporter": "memory", "strict": False,
                           name: odd}) as client:
                with client.trace("t") as step:
                    step.set("k", "v")
            try:
                LLMLab(**{"exporter": "memory", "strict": True,
                          name: odd}).close(0)
            except WRONG:
                pass
    logging.getLogger("llmlab").setLevel(logging.NOTSET)


def test_init_and_instrument(client):
    for odd in ODD:
        attempt(client, llmlab.instrument, odd)
        attempt(client, llmlab.uninstrument, odd)
        attempt(client, llmlab.propagate, odd)
        attempt(client, lambda: llmlab.init(
            exporter="memory", strict=client.strict, mask=odd).close())


def test_misuse_is_counted():
    with LLMLab(exporter="memory", strict=False) as client:
        with client.trace("t") as step:
            wrong = [lambda: step.set(1, 2), lambda: step.set_usage(x=1),
                     lambda: step.set_outcome("nice"),
                     lambda: step.set_cost("much"),
                     lambda: step.set_response(object()),
                     lambda: client.record(nonsense=1),
                     lambda: client.span("x", kind="nonsense").start()]
            for i, use in enumerate(wrong):
                use()
                assert client.stats()["misuses"] == i + 1
    with LLMLab(exporter="memory", strict=True) as client:
        with client.trace("t") as step:
            for use in (lambda: step.set(1, 2),
                        lambda: step.set_outcome("nice"),
                        lambda: step.set_cost("much"),
                        lambda: client.record(nonsense=1)):
                with pytest.raises(WRONG):
                    use()


# Handles that have died.

def all_of(step):
    for name, arguments in SPAN.items():
        getattr(step, name)(*arguments, **NAMED.get(name, {}))
    for name in SPAN_KNOWS:
        getattr(step, name)


@pytest.mark.parametrize("how", [
    "never begun", "ended", "client closed", "client closed while open",
    "disabled"])
def test_dead_spans(how):
    logging.getLogger("llmlab").setLevel(logging.CRITICAL)
    client = LLMLab(exporter="memory", strict=False,
                    enabled=how != "disabled")
    step = client.trace("t")
    if how != "never begun":
        step.start()
    if how in ("ended", "client closed"):
        step.end()
    if "client closed" in how:
        client.close()
    names = [name for name in SPAN if name not in ("start", "end")]
    for _ in range(2):
        for name in names:
            getattr(step, name)(*SPAN[name], **NAMED.get(name, {}))
        assert [getattr(step, name) for name in sorted(SPAN_KNOWS)]
        step.end()
    all_of(step)
    with step:
        all_of(step)
    del step
    client.close()
    client.close()
    logging.getLogger("llmlab").setLevel(logging.NOTSET)


def test_after_close():
    client = LLMLab(exporter="memory", strict=True)
    client.close()
    assert not client.enabled
    assert client.record(**RECORD) is False
    assert client.flush().status == "LLMLAB_EDISABLED"
    assert client.stats() == {"misuses": 0}
    assert asyncio.run(client.aflush()).ok is False
    with client.trace("t") as step, client.span("s"):
        all_of(step)
    assert step.trace_id == ""


def test_a_strict_span_of_a_closed_client():
    client = LLMLab(exporter="memory", strict=True)
    step = client.trace("t").start()
    client.close()
    with pytest.raises(LLMLabError):
        step.set("k", 1)


def test_ended_elsewhere():
    """One span, eight threads that end, set, enter and release it."""
    with LLMLab(exporter="memory", strict=False) as client:
        logging.getLogger("llmlab").setLevel(logging.CRITICAL)
        for _ in range(100):
            step = client.trace("t").start()
            threads = [threading.Thread(target=use) for use in (
                step.end, step.start, lambda: step.set("k", 1),
                lambda: step.__enter__().__exit__(None, None, None)) * 2]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        logging.getLogger("llmlab").setLevel(logging.NOTSET)
        assert alive(client)


def test_left_in_another_context():
    with LLMLab(exporter="memory", strict=True) as client:
        step = client.trace("t")
        contextvars.copy_context().run(step.__enter__)
        step.__exit__(None, None, None)
        assert llmlab.current_span().trace_id == ""
        step.__exit__(None, None, None)
        assert client.misuses == 0


def test_a_mask_that_is_no_mask():
    for odd in ODD:
        with LLMLab(exporter="memory", strict=False, capture_content="full",
                    mask=lambda text: odd) as client:
            logging.getLogger("llmlab").setLevel(logging.CRITICAL)
            with client.trace("t") as step:
                step.set("k", "secret")
                step.set_input("secret")
                step.set_output({"a": "secret"})
            logging.getLogger("llmlab").setLevel(logging.NOTSET)
            assert alive(client)
