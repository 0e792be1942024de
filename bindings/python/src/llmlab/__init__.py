"""What language-model calls cost, exactly, while they happen.

    from llmlab import LLMLab, trace

    llm = LLMLab(api_key="llmlab_sk_...", project="my_project",
                 instrument=True)

    @trace(tags=["production"])
    def my_agent(question): ...

See README.md; settings are in docs/CONFIGURATION.md."""

from __future__ import annotations

from typing import Any

from . import _client, testing
from ._client import FlushResult, LLMLab, init
from ._log import TraceIdFilter, log_trace_ids
from ._native import LLMLabError
from ._plain import cost, estimate_tokens, resolve, usage
from ._span import Span, current_span, propagate, span, trace
from ._instrument import instrument, uninstrument

__version__ = "0.1.0"

__all__ = [
    "FlushResult", "LLMLab", "LLMLabError", "Span", "TraceIdFilter", "aflush",
    "close", "cost", "current_span", "estimate_tokens", "flush", "init",
    "instrument", "log_trace_ids", "propagate", "record", "resolve", "score",
    "span", "stats", "testing", "trace", "uninstrument", "usage",
]


def flush(timeout: float = 2.0) -> FlushResult:
    """Deliver what the default client recorded."""
    return _client.ensure().flush(timeout)


async def aflush(timeout: float = 2.0) -> FlushResult:
    """flush() without blocking the event loop."""
    return await _client.ensure().aflush(timeout)


def stats() -> dict[str, Any]:
    """The default client's ledger."""
    return _client.ensure().stats()


def record(**call: Any) -> bool:
    """Record a finished call on the default client: name, kind, provider,
    model, usage, start and end (RFC 3339) or start_ns and end_ns, ..."""
    return _client.ensure().record(**call)


def score(name: str, value: bool | float | str, *, trace_id: str,
          span_id: str | None = None, **facts: Any) -> bool:
    """Record what somebody thinks of a trace, or of one of its spans, on the
    default client. value: a number, True or False, or a category's name.
    facts: label, source (who judges), version (of the judge), comment
    (recorded only if capture_content is full), at (RFC 3339) or at_ns."""
    return _client.ensure().score(name, value, trace_id=trace_id,
                                  span_id=span_id, **facts)


def close(timeout: float = 2.0) -> None:
    """Flush and close the default client."""
    if _client.default is not None:
        _client.default.close(timeout)


def load_ipython_extension(ipython: Any) -> None:
    """%load_ext llmlab: see llmlab.notebook."""
    from . import notebook

    notebook.load(ipython)
