"""The native module: whatever it is given, the interpreter lives on."""

import itertools
import json

import pytest

from llmlab import _llmlab_native as native

ODD = [None, "", "\0", "a\0b", "\ud800", "\U0001f600", "x" * 3_000_000, b"",
       b"\xff\x00", 0, -1, 1, 2**31, 2**53, 2**63 - 1, -2**63, 2**64, 1.5,
       float("nan"), True, [], {}, object(), "{}", '{"a":', b"\x80{"]

FUNCTIONS = sorted(n for n in dir(native) if n.startswith("llmlab_bind_"))


def arity(function):
    try:
        function(*[None] * 40)
    except TypeError as error:
        text = str(error)
        if "takes no arguments" in text:
            return 0
        if "exactly one argument" in text:
            return 1
        return int(text.split("expected ")[1].split()[0].strip(","))
    return 0


def test_every_function_with_every_odd_argument():
    client = native.llmlab_bind_open('{"exporter":"memory"}')
    assert client > 0
    for name in FUNCTIONS:
        function = getattr(native, name)
        count = arity(function)
        for shift, first in itertools.product(range(len(ODD)), (0, client)):
            arguments = [ODD[(shift + i * 7) % len(ODD)] for i in range(count)]
            if arguments and first and name != "llmlab_bind_close":
                arguments[0] = first
            try:
                function(*arguments)
            except (TypeError, OverflowError, ValueError, native.Error):
                pass
    assert native.llmlab_bind_enabled(client) == 1
    assert native.llmlab_bind_close(client, 5000) == 0


def test_handles_of_the_dead():
    client = native.llmlab_bind_open('{"exporter":"memory"}')
    span = native.llmlab_bind_begin(client, 0, "x", 0)
    assert native.llmlab_bind_end(span) == 0
    assert native.llmlab_bind_end(span) == -5
    assert native.llmlab_bind_set_int(span, "k", 1) == -5
    assert native.llmlab_bind_set_int(span + 1, "k", 1) < 0
    open_span = native.llmlab_bind_begin(client, 0, "x", 0)
    assert native.llmlab_bind_close(client, 100) == 0
    assert native.llmlab_bind_close(client, 100) < 0
    assert native.llmlab_bind_end(open_span) < 0
    assert native.llmlab_bind_begin(client, 0, "x", 0) < 0


def test_text_survives():
    client = native.llmlab_bind_open('{"exporter":"memory"}')
    for text in ("plain", "a\0b", "\U0001f600 \u00e4", "x" * 20000):
        span = native.llmlab_bind_begin(client, 0, "n", 0)
        assert native.llmlab_bind_set_string(span, "k", text) == 0
        native.llmlab_bind_end(span)
        native.llmlab_bind_flush(client, 5000)
        batch = json.loads(native.llmlab_bind_take_batch(client))
        step = batch["traces"][0]["steps"][0]
        assert step["attributes"]["k"] == text
    native.llmlab_bind_close(client, 0)


@pytest.mark.parametrize("value", [2**63 - 1, -2**63, 0])
def test_integers_are_exact(value):
    client = native.llmlab_bind_open('{"exporter":"memory"}')
    span = native.llmlab_bind_begin(client, 0, "n", 0)
    assert native.llmlab_bind_set_int(span, "k", value) == 0
    native.llmlab_bind_end(span)
    native.llmlab_bind_flush(client, 5000)
    assert f'"k":{value}' in native.llmlab_bind_take_batch(client)
    native.llmlab_bind_close(client, 0)


def test_settings_are_those_of_the_library():
    from llmlab._settings import Settings
    table = json.loads(native.llmlab_bind_info())["settings"]
    names = {s["name"].replace(".", "_"): s for s in table}
    ours = {**Settings.__annotations__, "api_key": "", "project": ""}
    assert set(ours) == set(names)
    for name, setting in names.items():
        for choice in filter(None, setting["choices"].split("|")):
            if setting["type"] == "enum":
                assert choice in str(ours[name])


def test_kinds_and_outcomes_are_those_of_the_library():
    from llmlab._span import KINDS, OUTCOMES
    info = json.loads(native.llmlab_bind_info())
    assert all(KINDS[k] == i for i, k in enumerate(info["span_kinds"]))
    assert list(OUTCOMES) == info["outcomes"]
