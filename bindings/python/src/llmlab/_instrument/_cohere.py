"""cohere: every call of its clients, v1 and v2, goes through request() or
stream() of its own HTTP clients."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import AsyncIterator, Callable, Iterator
from types import ModuleType
from typing import Any

from ._call import Call, guard, where
from ._http import answered, api_of
from ._patch import Patch, Steps

_call: contextvars.ContextVar[Call | None] = contextvars.ContextVar(
    "llmlab_cohere", default=None)


def _start(client: Any, args: Any, options: dict[str, Any]) -> Call | None:
    path = args[0] if args else options.get("path")
    api = api_of(str(path))
    if api is None or options.get("method") != "POST":
        return None
    provider, region = where(
        str(client.get_base_url(options.get("base_url"))), "cohere")
    request = options.get("json")
    call = Call("cohere", provider, api,
                request if isinstance(request, dict) else {}, region)
    return call if call.span else None


def _request(self: Any, *args: Any, **kwargs: Any) -> Steps:
    retries = kwargs.get("retries", 0)
    call = _call.get()
    if retries and call is not None:
        # It retries by calling itself.
        guard(call.attempt, retries + 1)
        return (yield (self, *args), kwargs)
    call = guard(_start, self, args, kwargs)
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
    guard(answered, call, response)
    return response


def _stream(original: Callable[..., Any]) -> Callable[..., Any]:
    @contextlib.contextmanager
    def stream(self: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        call = guard(_start, self, args, kwargs)
        with contextlib.ExitStack() as stack:
            if call is not None:
                stack.enter_context(_Ends(call))
            response = stack.enter_context(original(self, *args, **kwargs))
            if call is not None:
                guard(answered, call, response)
            yield response
    return stream


def _astream(original: Callable[..., Any]) -> Callable[..., Any]:
    @contextlib.asynccontextmanager
    async def stream(self: Any, *args: Any, **kwargs: Any,
                     ) -> AsyncIterator[Any]:
        call = guard(_start, self, args, kwargs)
        async with contextlib.AsyncExitStack() as stack:
            if call is not None:
                stack.enter_context(_Ends(call))
            response = await stack.enter_async_context(
                original(self, *args, **kwargs))
            if call is not None:
                guard(answered, call, response)
            yield response
    return stream


class _Ends:
    """A call that is over when the block is left."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None,
                 error: BaseException | None, traceback: object) -> None:
        if error is None:
            guard(self._call.end_stream)
        else:
            guard(self._call.fail, error)


class _Executor:
    """The client's threads, which embed batches in the caller's span."""

    def __init__(self, executor: Any) -> None:
        self._executor = executor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._executor, name)

    def map(self, function: Callable[..., Any], *items: Any,
            **options: Any) -> Any:
        here = contextvars.copy_context()
        return self._executor.map(
            lambda *item: here.copy().run(function, *item), *items, **options)


def _embed(self: Any, *args: Any, **kwargs: Any) -> Steps:
    if not isinstance(self._executor, _Executor):
        self._executor = _Executor(self._executor)
    return (yield (self, *args), kwargs)


def patch(patches: Patch, module: ModuleType) -> None:
    for client, stream in ((module.HttpClient, _stream),
                           (module.AsyncHttpClient, _astream)):
        patches.steps(client, "request", _request)
        patches.method(client, "stream", stream)


def patch_client(patches: Patch, module: ModuleType) -> None:
    patches.steps(module.Client, "embed", _embed)
