"""google-genai: every call goes through four methods of its BaseApiClient."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any

from ._call import Call, guard, where
from ._http import Tap
from ._patch import Patch, Steps

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


def _steps(self: Any, http_method: str, path: str, request_dict: Any,
           *args: Any, **kwargs: Any) -> Steps:
    call = guard(_start, self, http_method, path, request_dict)
    try:
        reply = yield (self, http_method, path, request_dict, *args), kwargs
    except BaseException as error:
        if call is not None:
            guard(call.fail, error)
        raise
    if call is None:
        return reply
    if hasattr(reply, "__aiter__"):
        guard(call.begin_stream)
        return _awatch(call, reply)
    if hasattr(reply, "__next__"):
        guard(call.begin_stream)
        return _watch(call, reply)
    guard(call.body, reply.body or "")
    guard(call.end)
    return reply


def _watch(call: Call, stream: Iterator[Any]) -> Iterator[Any]:
    with Tap(call) as tap:
        for chunk in stream:
            tap(guard(_event, chunk) or b"")
            yield chunk


async def _awatch(call: Call, stream: AsyncIterator[Any],
                  ) -> AsyncIterator[Any]:
    with Tap(call) as tap:
        async for chunk in stream:
            tap(guard(_event, chunk) or b"")
            yield chunk


def patch(patches: Patch, module: ModuleType) -> None:
    for name in ("request", "async_request", "request_streamed",
                 "async_request_streamed"):
        patches.steps(module.BaseApiClient, name, _steps)
