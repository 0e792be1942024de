"""google-genai: every call goes through four methods of its BaseApiClient."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from types import ModuleType
from typing import Any

from ._call import Call, guard, where
from ._patch import Patch

_PATH = re.compile(r"models/([^/:?]+):(\w+)")
_APIS = {"generateContent": "generate_content",
         "streamGenerateContent": "generate_content",
         "embedContent": "embed_content", "batchEmbedContents": "embed_content",
         "predict": "predict"}


def _start(client: Any, method: str, path: str, request: Any) -> Call | None:
    found = _PATH.search(path)
    if found is None or found[2] not in _APIS:
        return None
    base = str(getattr(client._http_options, "base_url", None) or "")
    provider, region = where(
        base, "vertex" if getattr(client, "vertexai", False) else "gemini")
    facts = dict(request) if isinstance(request, dict) else {}
    facts["model"] = found[1]
    call = Call("google", provider, _APIS[found[2]], facts, region)
    return call if call.span else None


def _event(chunk: Any) -> bytes:
    body = chunk.body
    data = body.encode() if isinstance(body, str) else body
    return b"data: " + data + b"\n\n"


def _request(original: Callable[..., Any]) -> Callable[..., Any]:
    def request(self: Any, http_method: str, path: str, request_dict: Any,
                *args: Any, **kwargs: Any) -> Any:
        call = guard(_start, self, http_method, path, request_dict)
        try:
            response = original(self, http_method, path, request_dict, *args,
                                **kwargs)
        except BaseException as error:
            if call is not None:
                guard(_fail, call, error)
            raise
        if call is not None:
            guard(call.body, response.body or "")
            guard(call.end)
        return response
    return request


def _arequest(original: Callable[..., Any]) -> Callable[..., Any]:
    async def async_request(self: Any, http_method: str, path: str,
                            request_dict: Any, *args: Any,
                            **kwargs: Any) -> Any:
        call = guard(_start, self, http_method, path, request_dict)
        try:
            response = await original(self, http_method, path, request_dict,
                                      *args, **kwargs)
        except BaseException as error:
            if call is not None:
                guard(_fail, call, error)
            raise
        if call is not None:
            guard(call.body, response.body or "")
            guard(call.end)
        return response
    return async_request


def _fail(call: Call, error: BaseException) -> None:
    """Its errors have code (the HTTP status) and status (a word)."""
    code = getattr(error, "code", None)
    status = getattr(error, "status", None)
    if isinstance(error, Exception) and isinstance(code, int):
        call.span.set_error(str(status or type(error).__name__), None, code)
        call.end()
    call.fail(error)


def _streamed(original: Callable[..., Any]) -> Callable[..., Any]:
    def request_streamed(self: Any, http_method: str, path: str,
                         request_dict: Any, *args: Any,
                         **kwargs: Any) -> Iterator[Any]:
        call = guard(_start, self, http_method, path, request_dict)
        if call is not None:
            guard(call.begin_stream)
        try:
            for chunk in original(self, http_method, path, request_dict,
                                  *args, **kwargs):
                if call is not None:
                    guard(call.feed, guard(_event, chunk) or b"")
                yield chunk
        except BaseException as error:
            if call is not None:
                guard(_fail, call, error)
            raise
        if call is not None:
            guard(call.end_stream)
    return request_streamed


def _astreamed(original: Callable[..., Any]) -> Callable[..., Any]:
    async def async_request_streamed(self: Any, http_method: str, path: str,
                                     request_dict: Any, *args: Any,
                                     **kwargs: Any) -> Any:
        call = guard(_start, self, http_method, path, request_dict)
        if call is not None:
            guard(call.begin_stream)
        try:
            stream = await original(self, http_method, path, request_dict,
                                    *args, **kwargs)
        except BaseException as error:
            if call is not None:
                guard(_fail, call, error)
            raise
        return stream if call is None else _awatch(call, stream)
    return async_request_streamed


async def _awatch(call: Call, stream: Any) -> AsyncIterator[Any]:
    try:
        async for chunk in stream:
            guard(call.feed, guard(_event, chunk) or b"")
            yield chunk
    except BaseException as error:
        guard(_fail, call, error)
        raise
    guard(call.end_stream)


def patch(patches: Patch, module: ModuleType) -> None:
    client = module.BaseApiClient
    patches.method(client, "request", _request)
    patches.method(client, "async_request", _arequest)
    patches.method(client, "request_streamed", _streamed)
    patches.method(client, "async_request_streamed", _astreamed)
