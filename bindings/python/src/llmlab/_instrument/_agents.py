"""The OpenAI Agents SDK: a trace processor. Agents, tools, handoffs,
guardrails and generations become spans; a generation's span is that of the SDK
call which it makes, or is told by the Agents SDK where that SDK is not
instrumented."""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import Any

from .._span import Span
from ._call import guard
from ._frameworks import Step, register, unregister
from ._patch import Patch

_KINDS = {"agent": "agent", "function": "tool", "generation": "llm",
          "response": "llm", "guardrail": "guardrail", "transcription": "llm",
          "speech": "llm"}
# Of the Agents SDK's own account; agents and their calls say as much.
_INNER = ("TaskSpanData", "TurnSpanData")
_MODELS = ("generation", "response", "transcription", "speech")
_DETAILS = {("input_tokens_details", "cached_tokens"): "cache_read_tokens",
            ("output_tokens_details", "reasoning_tokens"): "reasoning_tokens"}

_lock = threading.Lock()
# By the id of a trace or span; False: it is an outer one's.
_steps: dict[str, tuple[Step, bool]] = {}


def _find(key: str | None) -> Step | None:
    found = _steps.get(key or "")
    return None if found is None else found[0]


def _begin(key: str, step: Step, own: bool = True) -> None:
    if step.span:
        with _lock:
            _steps[key] = step, own


def _ended(key: str) -> Step | None:
    with _lock:
        step, own = _steps.pop(key, (None, False))
    return step if own else None


def _start_trace(trace: Any) -> None:
    _begin(trace.trace_id, Step(Span(
        trace.name, "agent", agent=trace.name,
        session=getattr(trace, "group_id", None))))


def _end_trace(trace: Any) -> None:
    step = _ended(trace.trace_id)
    if step is not None:
        step.ended = True
        step.span.end()


def _start_span(span: Any) -> None:
    data = span.span_data
    kind = str(data.type)
    name = getattr(data, "name", None)
    below = _find(span.parent_id) or _find(span.trace_id)
    if below is not None and type(data).__name__ in _INNER:
        _begin(span.span_id, below, False)
        return
    step = Step(Span(str(name or kind), _KINDS.get(kind, "span"),
                     agent=name if kind == "agent" else None),
                below, model=kind in _MODELS)
    _begin(span.span_id, step)


def _end_span(span: Any) -> None:
    step = _ended(span.span_id)
    if step is None or step.finish():
        return
    data, ours = span.span_data, step.span
    kind = str(data.type)
    failed = None
    if step.model and not guard(_tell, ours, data):
        failed = sys.exc_info()[1]  # which the span is left by
    elif kind == "handoff":
        ours.set("from_agent", data.from_agent)
        ours.set("to_agent", data.to_agent)
    elif kind == "guardrail":
        ours.set("triggered", bool(data.triggered))
    client = ours._client
    if client is not None and client._capture:
        for name, put in (("input", ours.set_input),
                          ("output", ours.set_output)):
            if getattr(data, name, None) is not None:
                put(getattr(data, name))
    if failed is not None:
        ours.fail(failed)
    elif span.error is not None:
        ours.set_error(f"{kind}_error")
    ours.end()


def _tell(span: Span, data: Any) -> bool:
    """What the Agents SDK knows of a call whose SDK is not instrumented;
    whether it knows an answer."""
    response = getattr(data, "response", None)
    if response is not None:
        span.set_response(response, "openai", "responses")
        return True
    model, usage = getattr(data, "model", None), getattr(data, "usage", None)
    if isinstance(model, str):
        span.set_request_model(model)
        span.set_model(model, None if "/" in model else "openai")
    if not usage or not usage.get("total_tokens", 1):
        return False  # where it does not know, it says 0
    counts = {name: usage[name] for name in ("input_tokens", "output_tokens")
              if usage.get(name) is not None}
    for (group, part), name in _DETAILS.items():
        count = (usage.get(group) or {}).get(part)
        if count:
            counts[name] = count
    span.set_usage(**counts)
    return True


def patch(patches: Patch, module: ModuleType) -> None:
    class Processor(module.TracingProcessor):  # type: ignore[name-defined,misc]
        def on_trace_start(self, trace: Any) -> None:
            guard(_start_trace, trace)

        def on_trace_end(self, trace: Any) -> None:
            guard(_end_trace, trace)

        def on_span_start(self, span: Any) -> None:
            guard(_start_span, span)

        def on_span_end(self, span: Any) -> None:
            guard(_end_span, span)

        def shutdown(self, timeout: float | None = None) -> None:
            pass

        def force_flush(self) -> None:
            pass

    def place() -> Step | None:
        for current in (module.get_current_span(),
                        module.get_current_trace()):
            step = None if current is None else _find(
                getattr(current, "span_id", None) or current.trace_id)
            if step is not None:
                return step
        return None

    processor = Processor()
    module.add_trace_processor(processor)

    def remove() -> None:
        multi = module.get_trace_provider()._multi_processor
        multi.set_processors(
            [p for p in multi._processors if p is not processor])

    patches.undone_by(remove)
    register("openai-agents", place)
    patches.undone_by(lambda: unregister("openai-agents"))
    patches.undone_by(_steps.clear)
