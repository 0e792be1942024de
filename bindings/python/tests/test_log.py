"""Trace ids in the program's log; the library's own log in logging."""

import io
import logging
import time

import pytest

import llmlab
from llmlab import span, trace


KEY = "llmlab_sk_0000000000000000000000000000003BhUX8"


@pytest.fixture
def factory():
    before = logging.getLogRecordFactory()
    yield
    logging.setLogRecordFactory(before)


def test_a_filter_of_a_handler(captured):
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.addFilter(llmlab.TraceIdFilter())
    handler.setFormatter(logging.Formatter("%(trace_id)s/%(span_id)s"))
    logger = logging.getLogger("of the program")
    logger.addHandler(handler)
    logger.warning("outside")
    with trace("t") as run:
        logger.warning("inside")
    assert out.getvalue().splitlines() == [
        "/", f"{run.trace_id}/{run.span_id}"]


def test_every_record(captured, caplog, factory):
    class Own(logging.LogRecord):
        pass

    logging.setLogRecordFactory(Own)
    llmlab.log_trace_ids()
    installed = logging.getLogRecordFactory()
    llmlab.log_trace_ids()
    assert logging.getLogRecordFactory() is installed
    with caplog.at_level(logging.INFO), trace("t") as run, span("s") as step:
        logging.getLogger("anywhere").info("hello")
    logging.getLogger("anywhere").warning("outside")
    inside, outside = caplog.records
    assert isinstance(inside, Own)
    assert (inside.trace_id, inside.span_id) == (run.trace_id, step.span_id)
    assert (outside.trace_id, outside.span_id) == ("", "")


@pytest.mark.parametrize("ended", ["with", "end"])
def test_what_the_worker_says_needs_no_flush(caplog, ended):
    """A server that cannot be reached is told of at the next span's end."""
    llmlab.init(api_key=KEY, url="http://127.0.0.1:9",
                batch_max_calls=1)
    deadline = time.monotonic() + 20
    while not caplog.records and time.monotonic() < deadline:
        if ended == "with":
            with span("s"):
                pass
        else:
            llmlab.Span("s").start().end()
        time.sleep(0.02)
    assert caplog.records
    assert {r.name for r in caplog.records} == {"llmlab"}
    assert KEY not in caplog.text


def test_a_handler_that_raises_stops_nothing(captured, monkeypatch):
    class Broken(logging.Handler):
        def emit(self, record):
            raise ZeroDivisionError

    handler = Broken()
    logging.getLogger("llmlab").addHandler(handler)
    try:
        llmlab.init(api_key=KEY, url="http://127.0.0.1:9", batch_max_calls=1)
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            with span("s"):
                pass
            time.sleep(0.02)
        llmlab.close()
    finally:
        logging.getLogger("llmlab").removeHandler(handler)


@pytest.mark.parametrize("opened", ["init", "by the first span"])
def test_a_handler_that_traces(monkeypatch, opened):
    """What is logged while a client opens may be traced itself."""
    lines = []

    class Traced(logging.Handler):
        def emit(self, record):
            with span("logged"):
                lines.append(record.getMessage())

    handler = Traced()
    logging.getLogger("llmlab").addHandler(handler)
    try:
        monkeypatch.setenv("LLMLAB_API_KEY", "nonsense")
        if opened == "init":
            llmlab.init()
        with span("s"):
            pass
        assert len(lines) == 2  # that it is off, and why
    finally:
        logging.getLogger("llmlab").removeHandler(handler)
