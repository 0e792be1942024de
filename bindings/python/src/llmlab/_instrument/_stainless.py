"""The SDKs that share one generated base: openai, anthropic, groq. Their every
call goes through request() of the two API clients and ends in
_process_response(), whatever the resource, the helper or the kind of response:
that is where we look, at the bytes as they came."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from types import ModuleType
from typing import Any

from ._call import Call, guard, where
from ._patch import Patch

include_usage = True

_call: ContextVar[Call | None] = ContextVar("llmlab_call", default=None)

_PATHS = (
    ("/chat/completions", "chat_completions"),
    ("/completions", "completions"),
    ("/responses", "responses"),
    ("/embeddings", "embeddings"),
    ("/messages", "messages"),
    ("/images/generations", "images"),
    ("/audio/transcriptions", "transcriptions"),
)


def _api(options: Any) -> str | None:
    if str(options.method).lower() != "post":
        return None
    path = str(options.url).split("?", 1)[0].rstrip("/")
    if not path.startswith("/"):
        path = "/" + path
    for end, api in _PATHS:
        if path.endswith(end):
            return api
    return None


def _start(client: Any, options: Any, sdk: str) -> Call | None:
    api = _api(options)
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


class _Hide:
    """Takes the usage-only chunk out of a stream that did not ask for it.
    Bytes wait until their event is whole, which is when an SDK reads them."""

    _END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
    _USAGE = re.compile(rb'"choices"\s*:\s*\[\s*\]')

    def __init__(self) -> None:
        self._held = b""

    def __call__(self, piece: bytes) -> bytes:
        held = self._held + piece
        shown = []
        while True:
            end = self._END.search(held)
            if end is None:
                break
            event, held = held[:end.end()], held[end.end():]
            if not self._is_usage(event):
                shown.append(event)
        self._held = held
        return b"".join(shown)

    def rest(self) -> bytes:
        held, self._held = self._held, b""
        return b"" if self._is_usage(held) else held

    def _is_usage(self, event: bytes) -> bool:
        if not self._USAGE.search(event):
            return False
        try:
            text = b"".join(line[5:] for line in event.splitlines()
                            if line.startswith(b"data:"))
            chunk = json.loads(text)
            return chunk["choices"] == [] and bool(chunk.get("usage"))
        except (ValueError, KeyError, TypeError):
            return False


def _watch(call: Call, response: Any) -> None:
    """See the bytes of a response that is still to be read."""
    hide = _Hide() if call.injected else None
    call.watched = True
    guard(call.begin_stream)

    if hasattr(response, "aiter_bytes"):
        aiter_bytes = response.aiter_bytes
        aclose = response.aclose

        async def watched_aiter(chunk_size: int | None = None,
                                ) -> AsyncIterator[bytes]:
            try:
                call.pulling = True
                async for piece in aiter_bytes(chunk_size):
                    call.pulling = False
                    guard(call.feed, piece)
                    shown = piece if hide is None else hide(piece)
                    if shown:
                        yield shown
                    call.pulling = True
                call.pulling = False
                if hide is not None:
                    rest = hide.rest()
                    if rest:
                        yield rest
            except BaseException as error:
                guard(call.end_stream, error)
                raise
            guard(call.end_stream)

        async def watched_aclose() -> None:
            try:
                await aclose()
            finally:
                if not call.pulling:
                    guard(call.end_stream)

        response.aiter_bytes = watched_aiter
        response.aclose = watched_aclose

    iter_bytes = response.iter_bytes
    close = response.close

    def watched_iter(chunk_size: int | None = None) -> Iterator[bytes]:
        try:
            call.pulling = True
            for piece in iter_bytes(chunk_size):
                call.pulling = False
                guard(call.feed, piece)
                shown = piece if hide is None else hide(piece)
                if shown:
                    yield shown
                call.pulling = True
            call.pulling = False
            if hide is not None:
                rest = hide.rest()
                if rest:
                    yield rest
        except BaseException as error:
            guard(call.end_stream, error)
            raise
        guard(call.end_stream)

    def watched_close() -> None:
        try:
            close()
        finally:
            if not call.pulling:
                guard(call.end_stream)

    response.iter_bytes = watched_iter
    response.close = watched_close


def _answered(response: Any, retries: int) -> None:
    call = _call.get()
    if call is None or call.done or call.watched:
        return
    guard(call.attempt, retries + 1)
    if response.is_closed or hasattr(response, "_content"):
        call.body(response.content)
    else:
        _watch(call, response)


def patch(sdk: str) -> Callable[[Patch, ModuleType], None]:
    def apply(patches: Patch, module: ModuleType) -> None:
        patches.method(module.SyncAPIClient, "request", _request(sdk))
        patches.method(module.AsyncAPIClient, "request", _arequest(sdk))
        patches.method(module.SyncAPIClient, "_process_response", _process)
        patches.method(module.AsyncAPIClient, "_process_response", _aprocess)
    return apply


def _request(sdk: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def request(self: Any, cast_to: Any, options: Any, *args: Any,
                    **kwargs: Any) -> Any:
            stream = bool(kwargs.get("stream"))
            call = guard(_start, self, options, sdk)
            if call is None:
                return original(self, cast_to, options, *args, **kwargs)
            asked = guard(_with_usage, call, options, stream) or options
            token = _call.set(call)
            try:
                try:
                    return original(self, cast_to, asked, *args, **kwargs)
                except Exception as error:
                    if not _refuses_usage(call, error):
                        raise
                call.injected = False
                return original(self, cast_to, options, *args, **kwargs)
            except BaseException as error:
                guard(call.fail, error)
                raise
            finally:
                _call.reset(token)
                if not call.done and not call.watched:
                    guard(call.end)  # a reply that we never saw
        return request
    return make


def _arequest(sdk: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        async def request(self: Any, cast_to: Any, options: Any, *args: Any,
                          **kwargs: Any) -> Any:
            stream = bool(kwargs.get("stream"))
            call = guard(_start, self, options, sdk)
            if call is None:
                return await original(self, cast_to, options, *args, **kwargs)
            asked = guard(_with_usage, call, options, stream) or options
            token = _call.set(call)
            try:
                try:
                    return await original(self, cast_to, asked, *args,
                                          **kwargs)
                except Exception as error:
                    if not _refuses_usage(call, error):
                        raise
                call.injected = False
                return await original(self, cast_to, options, *args, **kwargs)
            except BaseException as error:
                guard(call.fail, error)
                raise
            finally:
                _call.reset(token)
                if not call.done and not call.watched:
                    guard(call.end)  # a reply that we never saw
        return request
    return make


def _process(original: Callable[..., Any]) -> Callable[..., Any]:
    def process(self: Any, *args: Any, **kwargs: Any) -> Any:
        guard(_answered, kwargs["response"], kwargs.get("retries_taken", 0))
        return original(self, *args, **kwargs)
    return process


def _aprocess(original: Callable[..., Any]) -> Callable[..., Any]:
    async def process(self: Any, *args: Any, **kwargs: Any) -> Any:
        guard(_answered, kwargs["response"], kwargs.get("retries_taken", 0))
        return await original(self, *args, **kwargs)
    return process
