"""The fast half of Span, native/span_base.c, and its twin in Python."""

import gc
import inspect
import os
import pathlib
import subprocess
import sys
import weakref

import pytest

import llmlab
from llmlab import Span, span, trace


def test_it_is_native():
    assert Span.__mro__[1].__module__ == "llmlab._llmlab_native"
    assert Span.set.__doc__.startswith("An attribute")


def test_all_in_python():
    """Where span_base() refuses, Span is the same."""
    tests = pathlib.Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
         tests / "test_spans.py", tests / "test_client.py"],
        env={**os.environ, "LLMLAB_SPAN_BASE": "python"},
        capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


def test_another_interpreter_does_without(run):
    newer = sys.version_info >= (3, 13)
    name = "_interpreters" if newer else "_xxsubinterpreters"
    create = "create('legacy')" if newer else "create(isolated=False)"
    pytest.importorskip(name)
    run(f"""
import llmlab, {name} as interpreters
assert llmlab.Span.__mro__[1].__module__ == "llmlab._llmlab_native"
problem = interpreters.run_string(interpreters.{create}, '''
import llmlab
assert llmlab.Span.__mro__[1].__module__ == "llmlab._span_base"
with llmlab.testing.capture() as captured:
    with llmlab.span("x") as x:
        x.set("k", 1)
assert captured.span("x")["attributes"] == {{"k": 1}}, captured.spans
''')
assert problem is None, problem
""")


def test_attributes_however_given(captured):
    expected = {"docs": 3, "ok": True, "name": "a\u00e5", "score": 0.5,
                "big": str(2 ** 70), "list": "[1]"}
    given = {**expected, "big": 2 ** 70, "list": [1], "none": None}
    with span("one", kind="tool") as step:
        for key, value in given.items():
            step.set(key, value)
    with span("two", kind="tool") as step:
        step.set_attributes(given)
    with span("three", "tool", attributes=given):
        pass
    with span("four", attributes=given, user="u", kind="tool"):
        pass
    with span("five", "tool") as step:
        for key, value in given.items():
            step.set(value=value, key=key)
    for name in ("one", "two", "three", "four", "five"):
        step = captured.span(name)
        assert step["attributes"] == expected, name
        assert step["type"] == "tool_call"


def test_masks_see_all_text():
    seen = []

    def mask(text):
        seen.append(text)
        return "***"

    with llmlab.testing.capture(mask=mask) as captured:
        with span("a", attributes={"k": "one"}) as step:
            step.set("l", "two")
            step.set_attributes({"m": "three", "n": 4})
    assert seen == ["one", "two", "three"]
    assert captured.span("a")["attributes"] == {
        "k": "***", "l": "***", "m": "***", "n": 4}


def test_misuse(captured):
    """No crash, and an exception where the client is strict."""
    for bad in (lambda: span(), lambda: span("a", "tool", "more"),
                lambda: span("a", "tool", kind="llm"),
                lambda: span("a", no_such_option=1)):
        with pytest.raises(TypeError):
            bad()
    with pytest.raises(KeyError):
        span("a", kind="nonsense").__enter__()
    for name, kind in ((7, "span"), ([], "span"), ("a", {})):
        with pytest.raises(TypeError):
            span(name, kind).__enter__()
    with span("a") as step:
        for key in (7, ["x"], object()):
            with pytest.raises(TypeError):
                step.set(key, "x")
        for values in ((), ("key",), ("key", 1, 2)):
            with pytest.raises(TypeError):
                step.set(*values)
        step.set("lone \ud800", "\udfff")
        with pytest.raises(TypeError):
            step.__exit__()
    with pytest.raises(llmlab.LLMLabError):
        step.set("late", 1)


def test_broken_handles(captured):
    bare = Span.__new__(Span)
    bare.set("k", 1)
    bare.end()
    bare.__exit__(None, None, None)
    assert not bare and bare.trace_id == ""
    step = span("a")
    step._handle = -5
    with step:
        pass
    step._client = captured.client
    step._handle = 2 ** 52
    with pytest.raises(llmlab.LLMLabError):
        step.set("stale", 1)
    step._handle = 0
    step.__init__("again")
    with step, step:
        step.set("k", 1)
    assert captured.span("again")["attributes"] == {"k": 1}


def test_a_dictionary_that_changes(captured):
    given = {f"k{i}": "v" for i in range(5)}

    def mask(text):
        given.clear()
        return text

    captured.client._mask = mask
    with span("a") as step:
        step.set_attributes(given)
    assert captured.span("a")["attributes"] == {"k0": "v"}


def test_an_exit_that_fails(captured):
    class Broken(Span):
        def fail(self, error):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        with Broken("a"):
            raise ValueError


def test_cycles_and_weak_references(captured):
    step = span("a", attributes={"k": 1})
    step._extra = (None, False, None, None, None, [step])
    gone = weakref.ref(step)
    del step
    gc.collect()
    assert gone() is None


def test_nothing_leaks(captured):
    def some(count):
        for _ in range(count):
            with trace("t", user="u"), span("s", attributes={"a": "b"}) as s:
                s.set("k", "v")
                s.set("l", [1])
            with pytest.raises(TypeError):
                span()
            try:
                with span("e"):
                    raise ValueError
            except ValueError:
                pass
        captured._take()
        captured._batches.clear()
        gc.collect()

    some(50)
    blocks = sys.getallocatedblocks()
    some(500)
    assert sys.getallocatedblocks() - blocks < 400


def test_what_help_says():
    assert str(inspect.signature(Span)).startswith("(name")
