"""The SDKs that share one generated base: openai, anthropic, groq. Their every
call goes through request() of the two API clients and ends in
_process_response(), whatever the resource, the helper or the kind of response:
that is where we look, at the bytes as they came."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from types import ModuleType
from typing import Any

from ._call import Call, guard, where
from ._http import answered, api_of
from ._patch import Patch, Steps

include_usage = True

_call: ContextVar[Call | None] = ContextVar("llmlab_call", default=None)


def _start(client: Any, options: Any, sdk: str) -> Call | None:
    if str(options.method).lower() != "post":
        return None
    api = api_of(str(options.url))
    if api is None:
        return None
    provider, region = where(str(client.base_url), sdk)
    request = options.json_data
    call = Call(sdk, provider, api,
                request if isinstance(request, dict) else {}, region)
    return call if call.span else None


def _with_usage(call: Call | None, options: Any, stream: bool) -> Any:
    """The options, asking for the usage of a chat stream."""
    request = options.json_data
    if (call is None or not include_usage or not stream or
            call.api not in ("chat_completions", "completions") or
            not isinstance(request, dict)):
        return options
    asked = request.get("stream_options")
    if asked is not None and not isinstance(asked, dict):
        return options
    if asked and "include_usage" in asked:
        return options
    changed = options.copy() if not hasattr(options, "model_copy") else (
        options.model_copy())
    changed.json_data = {**request, "stream_options": {
        **(asked or {}), "include_usage": True}}
    call.injected = True
    return changed


def _refuses_usage(call: Call | None, error: Exception) -> bool:
    """A server that does not know what we added, not the program."""
    return (call is not None and call.injected and
            getattr(error, "status_code", 0) in (400, 422) and
            "stream_options" in str(getattr(error, "body", "")))


def patch(sdk: str) -> Callable[[Patch, ModuleType], None]:
    def request(self: Any, cast_to: Any, options: Any, *args: Any,
                **kwargs: Any) -> Steps:
        call = guard(_start, self, options, sdk)
        if call is None:
            return (yield (self, cast_to, options, *args), kwargs)
        asked = guard(_with_usage, call, options, bool(kwargs.get("stream")))
        token = _call.set(call)
        try:
            try:
                return (yield (self, cast_to, asked or options, *args), kwargs)
            except Exception as error:
                if not _refuses_usage(call, error):
                    raise
            call.injected = False
            return (yield (self, cast_to, options, *args), kwargs)
        except BaseException as error:
            guard(call.fail, error)
            raise
        finally:
            _call.reset(token)
            if not call.done and not call.watched:
                guard(call.end)  # a reply that we never saw

    def apply(patches: Patch, module: ModuleType) -> None:
        for client in (module.SyncAPIClient, module.AsyncAPIClient):
            patches.steps(client, "request", request)
            patches.steps(client, "_process_response", _process_response)
    return apply


def _process_response(*args: Any, **kwargs: Any) -> Steps:
    guard(_answered, kwargs.get("response"), kwargs.get("retries_taken", 0))
    return (yield args, kwargs)


def _answered(response: Any, retries: int) -> None:
    call = _call.get()
    if call is not None and not call.done and not call.watched:
        guard(call.attempt, retries + 1)
        answered(call, response)
