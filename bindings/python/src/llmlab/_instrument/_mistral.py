"""mistralai: every call goes through do_request() of its base, each attempt of
it through its hooks."""

from __future__ import annotations

import json
from contextvars import ContextVar
from types import ModuleType
from typing import Any

from ._call import Call, guard, where
from ._http import answered, api_of
from ._patch import Patch, Steps

_call: ContextVar[Call | None] = ContextVar("llmlab_mistral", default=None)


def _start(request: Any) -> Call | None:
    if request.method != "POST":
        return None
    url = str(request.url)
    api = api_of(url)
    if api is None:
        return None
    provider, region = where(url, "mistral")
    try:
        facts = json.loads(request.content)
    except Exception:
        facts = {}  # a file that is sent
    call = Call("mistral", provider, api, facts, region)
    return call if call.span else None


def _do_request(self: Any, *args: Any, **kwargs: Any) -> Steps:
    request = kwargs.get("request") or args[1]
    call = guard(_start, request)
    if call is None:
        return (yield (self, *args), kwargs)
    token = _call.set(call)
    try:
        response = yield (self, *args), kwargs
    except BaseException as error:
        guard(call.fail, error)
        raise
    finally:
        _call.reset(token)
        guard(call.attempt, call.attempts)
    guard(answered, call, response)
    return response


def _before_request(*args: Any, **kwargs: Any) -> Steps:
    call = _call.get()
    if call is not None:
        call.attempts += 1
    return (yield args, kwargs)


def patch(patches: Patch, module: ModuleType) -> None:
    patches.steps(module.BaseSDK, "do_request", _do_request)
    patches.steps(module.BaseSDK, "do_request_async", _do_request)


def patch_hooks(patches: Patch, module: ModuleType) -> None:
    patches.steps(module.SDKHooks, "before_request", _before_request)
