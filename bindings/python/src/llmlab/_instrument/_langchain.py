"""langchain (and langgraph): a callback handler that every run gets. Chains,
tools, retrievers and models become spans; a model's span is that of the SDK
call which it makes, or is told by LangChain itself where that SDK is not
instrumented."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from contextvars import ContextVar
from types import ModuleType
from typing import Any

from .._span import Span, _json
from ._call import guard
from ._frameworks import Step, register, unregister
from ._patch import Patch

_PROVIDERS = {"google_genai": "gemini", "google_vertexai": "vertex",
              "azure": "azure_openai", "mistralai": "mistral",
              "amazon_bedrock": "bedrock", "bedrock_converse": "bedrock"}
_PARTS = {("input_token_details", "cache_read"): "cache_read_tokens",
          ("input_token_details", "cache_creation"): "cache_write_tokens",
          ("input_token_details", "audio"): "input_audio_tokens",
          ("output_token_details", "reasoning"): "reasoning_tokens",
          ("output_token_details", "audio"): "output_audio_tokens"}
_HIDDEN = "langsmith:hidden"

_lock = threading.Lock()
_steps: dict[Any, tuple[Step, bool]] = {}  # by run; False: an outer run's
# The innermost model or retriever: LangChain itself keeps only who may have
# runs within.
_leaf: ContextVar[Step | None] = ContextVar("llmlab_langchain", default=None)


def _name(serialized: Any, name: Any, otherwise: str) -> str:
    if name:
        return str(name)
    serialized = serialized or {}
    return str(serialized.get("name") or
               (serialized.get("id") or [otherwise])[-1])


def _below(run: Any) -> Step | None:
    found = _steps.get(run)
    return None if found is None else found[0]


def _begin(run_id: Any, parent_id: Any, name: str, kind: str, given: Any, *,
           model: bool = False, hidden: bool = False) -> Step | None:
    below = _below(parent_id)
    if hidden and below is not None:
        step = below
    else:
        if kind == "chain" and below is None:
            span = Span(name, "agent", agent=name)
        else:
            span = Span(name, kind)
        step = Step(span, below, model=model)
        if not step.span:
            return None
        client = step.span._client
        if client is not None and client._capture:
            step.span.set_input(_text(given))
        hidden = False
    with _lock:
        _steps[run_id] = step, not hidden
    return step


def _begin_model(serialized: Any, given: Any, options: dict[str, Any]) -> None:
    step = _begin(options["run_id"], options.get("parent_run_id"),
                  _name(serialized, options.get("name"), "model"), "llm",
                  given, model=True)
    if step is None:
        return
    facts = options.get("metadata") or {}
    provider, model = facts.get("ls_provider"), facts.get("ls_model_name")
    if provider:
        step.span.set_model(None, _PROVIDERS.get(provider, provider))
    if model:
        step.span.set_request_model(model)
    _enter(step)


def _running() -> Step | None:
    leaf = _leaf.get()
    while leaf is not None and leaf.ended:  # in another context
        leaf = leaf.before
    return leaf


def _enter(step: Step) -> None:
    step.before = _running()
    _leaf.set(step)


def _leave(step: Step) -> None:
    if _leaf.get() is step:
        _leaf.set(step.before)


def _end(run_id: Any, result: Any) -> None:
    step = _ended(run_id)
    if step is not None:
        client = step.span._client
        if client is not None and client._capture:
            step.span.set_output(_text(result))
        step.span.end()


def _fail(run_id: Any, error: BaseException) -> None:
    step = _ended(run_id)
    if step is not None and not step.finish():
        step.span.fail(error)
        step.span.end()


def _ended(run_id: Any) -> Step | None:
    with _lock:
        step, own = _steps.pop(run_id, (None, False))
    if step is None or not own:
        return None
    step.ended = True
    _leave(step)
    return step


def _end_model(run_id: Any, result: Any) -> None:
    step = _ended(run_id)
    if step is None:
        return
    if not step.finish():
        span = step.span
        guard(_tell, span, result)
        client = span._client
        if client is not None and client._capture:
            span.set_output(_text(result))
        span.end()


def _tell(span: Span, result: Any) -> None:
    """What LangChain knows of a call whose SDK is not instrumented."""
    generation = result.generations[0][0]
    message = getattr(generation, "message", None)
    told = getattr(message, "response_metadata", None) or {}
    told = {**(result.llm_output or {}), **told}
    model = told.get("model_name") or told.get("model")
    if isinstance(model, str):
        span.set_model(model)
    usage = getattr(message, "usage_metadata", None)
    if not usage:
        return
    if usage.get("total_cost") == 0:
        span.set("cache_hit", True)  # LangChain's own: nobody was called
        return
    counts = {name: usage[name] for name in ("input_tokens", "output_tokens")
              if usage.get(name) is not None}
    for (group, part), name in _PARTS.items():
        count = (usage.get(group) or {}).get(part)
        if count:
            counts[name] = count
    span.set_usage(**counts)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    dump = getattr(value, "model_dump_json", None)
    return dump() if dump is not None else _json(value)


def _guarded(function: Any) -> Callable[..., None]:
    def call(self: Any, *args: Any, **options: Any) -> None:
        guard(function, *args, options)
    return call


def _handler() -> Any:
    base = importlib.import_module("langchain_core.callbacks.base")

    def chain(serialized: Any, inputs: Any, o: dict[str, Any]) -> None:
        _begin(o["run_id"], o.get("parent_run_id"),
               _name(serialized, o.get("name"), "chain"), "chain", inputs,
               hidden=_HIDDEN in (o.get("tags") or ()))

    def tool(serialized: Any, given: Any, o: dict[str, Any]) -> None:
        _begin(o["run_id"], o.get("parent_run_id"),
               _name(serialized, o.get("name"), "tool"), "tool", given)

    def retriever(serialized: Any, query: Any, o: dict[str, Any]) -> None:
        step = _begin(o["run_id"], o.get("parent_run_id"),
                      _name(serialized, o.get("name"), "retriever"),
                      "retrieval", query)
        if step is not None:
            _enter(step)

    def token(*args: Any) -> None:
        step = _below(args[-1]["run_id"])
        if step is not None and step.call is None:
            step.span.set_stream()
            step.span.first_token()

    def end(result: Any, o: dict[str, Any]) -> None:
        _end(o["run_id"], result)

    def end_model(result: Any, o: dict[str, Any]) -> None:
        _end_model(o["run_id"], result)

    def fail(error: Any, o: dict[str, Any]) -> None:
        _fail(o["run_id"], error)

    # In line: what starts a run and what it runs share a context.
    body: dict[str, Any] = {"run_inline": True}
    body.update({f"on_{name}": _guarded(function) for name, function in {
        "chain_start": chain, "chain_end": end, "chain_error": fail,
        "tool_start": tool, "tool_end": end, "tool_error": fail,
        "retriever_start": retriever, "retriever_end": end,
        "retriever_error": fail, "llm_start": _begin_model,
        "chat_model_start": _begin_model, "llm_new_token": token,
        "llm_end": end_model, "llm_error": fail}.items()})
    return type("LLMLabHandler", (base.BaseCallbackHandler,), body)()


def patch(patches: Patch, module: ModuleType) -> None:
    running: ContextVar[Any] = importlib.import_module(
        "langchain_core.runnables.config").var_child_runnable_config

    def place() -> Step | None:
        config = running.get()
        manager = (config or {}).get("callbacks")
        chain = _below(getattr(manager, "parent_run_id", None))
        leaf = _running()
        if leaf is None or (
                chain is not None and chain.number > leaf.number):
            return chain
        return leaf

    handler: ContextVar[Any] = ContextVar("llmlab_handler", default=_handler())
    hooks = module._configure_hooks
    hook = (handler, True, None, None)
    hooks.append(hook)
    patches.undone_by(lambda: hooks.remove(hook))
    register("langchain", place)
    patches.undone_by(lambda: unregister("langchain"))
    patches.undone_by(_steps.clear)
