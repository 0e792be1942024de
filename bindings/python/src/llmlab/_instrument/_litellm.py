"""litellm: what it calls by itself goes through post() of its two HTTP
handlers; for the rest it uses the openai SDK, which is instrumented along with
it. So each request is one span, at the provider's own bytes, and what LiteLLM
answers from its cache, or mocks, is none. Its callbacks would say less: they
come late, on another thread, and count tokens where a stream told none."""

from __future__ import annotations

import json
import re
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from types import ModuleType
from typing import Any

from ._call import Call, guard, where
from ._http import answered, api_of
from ._patch import Patch, Steps

# LiteLLM's names of providers where ours differ.
_PROVIDERS = {"vertex_ai": "vertex", "azure": "azure_openai",
              "cohere_chat": "cohere", "together_ai": "together",
              "fireworks_ai": "fireworks", "azure_ai": "azure_ai",
              "bedrock_converse": "bedrock", "ollama_chat": "ollama",
              "voyage": "voyageai"}
_BY_API = {"messages": "anthropic", "generate_content": "gemini",
           "chat": "cohere", "generate": "ollama", "rerank": "cohere"}
_calls: weakref.WeakKeyDictionary[Any, Call] = weakref.WeakKeyDictionary()
_last: ContextVar[Call | None] = ContextVar("llmlab_litellm", default=None)
_MODEL = re.compile(r"/models?/([^/:?]+)[:/]")


def _start(url: Any, options: dict[str, Any]) -> Call | None:
    api = api_of(str(url))
    if api is None:
        return None
    details = getattr(options.get("logging_obj"), "model_call_details", {})
    named = str(details.get("custom_llm_provider") or "")
    provider, region = where(
        str(url), _PROVIDERS.get(named, named) or _BY_API.get(api, "openai"))
    request = options.get("json")
    if request is None and options.get("data"):
        try:
            request = json.loads(options["data"])
        except (ValueError, TypeError):
            pass
    facts = dict(request) if isinstance(request, dict) else {}
    found = _MODEL.search(str(url))
    if found is not None:
        facts.setdefault("model", found[1])
    call = Call("litellm", provider, api, facts, region)
    if not call.span:
        return None
    if options.get("stream"):
        _last.set(call)
    return call


def _post(self: Any, *args: Any, **kwargs: Any) -> Steps:
    url = args[0] if args else kwargs.get("url")
    names = ("url", "data", "json")
    call = guard(_start, url, {**dict(zip(names, args)), **kwargs})
    if call is None:
        return (yield (self, *args), kwargs)
    try:
        response = yield (self, *args), kwargs
    except BaseException as error:
        guard(call.fail, error)
        raise
    guard(answered, call, response)
    return response


def _init(original: Callable[..., Any]) -> Callable[..., Any]:
    """A stream is made where its request was sent."""
    def call(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        guard(_belong, self)
    return call


def _belong(stream: Any) -> None:
    call = _last.get()
    if call is not None and call.stream and not call.done:
        _calls[stream] = call
    _last.set(None)


def _next(original: Callable[..., Any]) -> Callable[..., Any]:
    """A stream that gives no more: LiteLLM leaves the last bytes unread."""
    def call(self: Any) -> Any:
        try:
            return original(self)
        except StopIteration:
            guard(_ended, self)
            raise
    return call


def _anext(original: Callable[..., Any]) -> Callable[..., Any]:
    async def call(self: Any) -> Any:
        try:
            return await original(self)
        except StopAsyncIteration:
            guard(_ended, self)
            raise
    return call


def _ended(stream: Any) -> None:
    call = _calls.pop(stream, None)
    if call is not None:
        call.end_stream()


def patch_streams(patches: Patch, module: ModuleType) -> None:
    patches.method(module.CustomStreamWrapper, "__init__", _init)
    patches.method(module.CustomStreamWrapper, "__next__", _next)
    patches.method(module.CustomStreamWrapper, "__anext__", _anext)


def patch(patches: Patch, module: ModuleType) -> None:
    for handler in (module.HTTPHandler, module.AsyncHTTPHandler):
        patches.steps(handler, "post", _post)
