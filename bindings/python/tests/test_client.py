import asyncio
import logging
from decimal import Decimal

import pytest

import llmlab
from llmlab import LLMLab, LLMLabError, span, trace
from llmlab.testing import capture


def test_settings_come_from_keywords_and_variables(monkeypatch, tmp_path):
    monkeypatch.setenv("LLMLAB_EXPORTER", "file")
    monkeypatch.setenv("LLMLAB_SERVICE", "from-variable")
    path = tmp_path / "out.jsonl"
    with LLMLab(exporter_file=path, environment="test") as client:
        assert client.enabled
        with client.trace("t"):
            pass
        assert client.flush().ok
    text = path.read_text()
    assert '"service":"from-variable"' in text
    assert '"environment":"test"' in text
    assert '"language":"python"' in text


@pytest.mark.parametrize("settings", [
    {"nonsense": 1}, {"exporter": "nowhere"}, {"sample_rate": "x"},
    {"batch_max_calls": []}, {"url": object()}, {"api_key": 5},
    {"service": "\ud800"},
])
def test_wrong_settings(settings, caplog):
    client = LLMLab(**{"exporter": "memory", **settings})
    if "service" not in settings:
        assert not client.enabled
        assert sum(r.levelno >= logging.WARNING for r in caplog.records) == 1
    with client.trace("t") as t:
        t.set("k", 1)
        with span("s"):
            pass
    assert client.flush().delivered in (0, 2)
    client.close()
    client.close()


def test_strict_raises():
    with pytest.raises(LLMLabError) as error:
        LLMLab(nonsense=1, strict=True)
    assert error.value.name == "LLMLAB_ECONFIG"
    assert "nonsense" in str(error.value)
    with capture():
        with pytest.raises(KeyError):
            with trace("t", kind="nonsense"):
                pass
        with trace("t") as t:
            with pytest.raises(TypeError):
                t.set(5, 5)
            t.end()
            with pytest.raises(LLMLabError):
                t.set("k", 1)


class Bad:
    def __str__(self): raise RuntimeError
    __repr__ = __str__


ODD = [None, "", "\0", "\ud800", "x" * 200_000, b"\xff", 0, -1, 2**80, 1.5,
       float("nan"), float("inf"), [], {}, {1: object()}, object(), Bad()]


def test_nothing_raises():
    with capture(strict=False) as captured:
        for odd in ODD:
            with trace(odd), span(odd, kind=odd if odd.__hash__ else None):
                pass
            with trace("t", tags=odd, user=odd, session=odd, agent=odd,
                       attributes=odd, traceparent=odd) as t:
                for method in ("set_user", "set_session", "set_agent",
                               "add_tags", "set_outcome", "set_error",
                               "set_model", "set_request_model", "set_cost",
                               "set_response", "set_tier", "set_finish",
                               "set_prompt", "set_attempt", "set_input",
                               "set_output", "set_times", "set_attributes"):
                    getattr(t, method)(odd)
                t.set(odd, odd)
                t.set("key", odd)
                t.set_usage(input_tokens=odd)
                t.set_usage(nonsense=odd)
                t.end()
                t.end()
                t.set("key", 1)
                t.set_response(b"{}")
                with span("below an ended one"):
                    pass
        assert captured.client.misuses > 0
        assert captured.client.stats()["misuses"] == captured.client.misuses
        assert any(s["name"] == "below an ended one" for s in captured.spans)


def test_off(monkeypatch, caplog):
    monkeypatch.setenv("LLMLAB_ENABLED", "0")

    @trace(tags=["x"])
    def agent():
        with span("s") as s:
            s.set("k", 1)
            assert not s and s.cost is None and s.traceparent == ""
        return 1

    assert agent() == 1
    assert llmlab.flush().delivered == 0
    assert asyncio.run(llmlab.aflush()).delivered == 0
    assert llmlab.stats()["misuses"] == 0
    assert llmlab.record(name="x") is False
    llmlab.close()
    assert not caplog.records


def test_no_key_is_told_once(caplog):
    with trace("t"):
        pass
    with trace("t"):
        pass
    llmlab.flush()
    assert len(caplog.records) == 1
    assert "api_key" in caplog.text or "key" in caplog.text


def test_init_replaces():
    first = llmlab.init(exporter="memory")
    with trace("t"):
        pass
    second = llmlab.init(exporter="memory")
    assert not first.enabled and second.enabled
    with trace("t"):
        pass
    assert llmlab.stats()["accepted"] == 1


def test_the_first_client_is_the_default():
    with LLMLab(exporter="memory") as a, LLMLab(exporter="memory") as b:
        with trace("t"):
            with span("s"):
                pass
            with b.span("elsewhere"):
                with span("below"):
                    pass
        assert a.stats()["accepted"] == 2
        assert b.stats()["accepted"] == 2


def test_a_client_closed_under_an_open_span():
    client = LLMLab(exporter="memory")
    with client.trace("t") as t:
        client.close()
        t.set("k", 1)
        with span("s") as s:
            s.set("k", 1)
    assert client.flush().status == "LLMLAB_EDISABLED"
    assert client.stats()["misuses"] > 0


def test_mask_and_capture():
    def mask(text): return text.replace("secret", "***")

    @trace
    def agent(question): return "the secret answer"

    with capture(mask=mask, capture_content="full") as captured:
        agent("my secret")
        with span("s") as s:
            s.set("k", "a secret")
            s.set("l", ["secret"])
            s.set_input("secret in")
    assert "secret" not in str(captured.batches)
    assert "***" in captured.span("agent")["input"]
    assert captured.span("agent")["output"] == "the *** answer"

    with capture() as captured:
        agent("my secret")
        with span("s") as s:
            s.set_input("secret in")
    assert "secret" not in str(captured.batches)


def test_a_mask_that_fails_sends_nothing():
    def mask(text): raise RuntimeError("mask")

    with capture(strict=False, mask=mask, capture_content="full") as captured:
        with span("s") as s:
            s.set("k", "secret")
            s.set_input("secret")
    assert "secret" not in str(captured.batches)
    assert captured.client.misuses == 2


def test_record(captured):
    assert llmlab.record(
        name="old", kind="llm_call", provider="openai", model="gpt-4o-mini",
        usage={"input_tokens": 1200, "output_tokens": 80},
        start="2026-01-01T00:00:00Z", end="2026-01-01T00:00:01Z")
    assert captured.span("old")["latency_ms"] == 1000
    assert captured.cost_usd == Decimal("0.000228")
    with pytest.raises(LLMLabError):
        llmlab.record(nonsense=1)


def test_plain_functions():
    answer = llmlab.cost("gpt-4o-mini", usage={"input_tokens": 1200,
                                               "output_tokens": 80})
    assert answer["cost_usd"] == Decimal("0.000228")
    assert answer["parts"]["input"] == Decimal("0.00018")
    assert llmlab.cost("no-such-model", usage={"input_tokens": 1})[
        "cost_usd"] is None
    body = {"model": "claude-sonnet-4-5", "type": "message",
            "usage": {"input_tokens": 10, "output_tokens": 5}}
    answer = llmlab.usage(body, provider="anthropic", api="messages")
    assert answer["usage"] == {"input_tokens": 10, "output_tokens": 5}
    assert llmlab.resolve("gpt-4o-mini")["key"] == "gpt-4o-mini"
    with pytest.raises(LLMLabError):
        llmlab.cost("x", usage={"input_tokens": -1})


def test_console(run):
    done = run("""
from llmlab import trace, span
@trace
def agent():
    with span("answer", kind="llm") as s:
        s.set_response({"object": "chat.completion", "model": "gpt-4o-mini",
            "usage": {"prompt_tokens": 1200, "completion_tokens": 80}})
agent()
""", LLMLAB_EXPORTER="console")
    assert "$0.000228" in done.stdout and not done.stderr


def test_without_the_native_module(run):
    done = run("""
import sys
sys.modules["llmlab._llmlab_native"] = None
import llmlab
llmlab.init(api_key="x", instrument=True)
@llmlab.trace
def agent():
    with llmlab.span("s") as s:
        s.set("k", 1)
        s.set_response(b"{}")
        print(repr(s.traceparent), s.cost)
    return 1
assert agent() == 1
print(llmlab.flush(), llmlab.stats())
llmlab.close()
try:
    llmlab.cost("x")
except llmlab.LLMLabError as error:
    print(error)
""")
    assert "LLMLAB_EDISABLED" in done.stdout
    assert done.stderr.count("\n") <= 2 and "native module" in done.stderr
