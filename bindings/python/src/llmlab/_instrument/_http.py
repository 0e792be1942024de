"""What the SDKs over httpx share: which call an address is, and a look at the
bytes of a response on their way to the program."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

from ._call import Call, guard

_APIS = tuple((re.compile(path), api) for path, api in (
    (r"/chat/completions$", "chat_completions"),
    (r"/agents/completions$", "chat_completions"),
    (r"/fim/completions$", "chat_completions"),
    (r"/completions$", "completions"),
    (r"/responses$", "responses"),
    (r"/embeddings$", "embeddings"),
    (r"/messages$", "messages"),
    (r"/images/generations$", "images"),
    (r"/audio/transcriptions$", "transcriptions"),
    (r":(stream)?[gG]enerateContent$", "generate_content"),
    (r"/converse$", "converse"),
    (r"/converse-stream$", "converse_stream"),
    (r"/invoke(-with-response-stream)?$", "invoke"),
    # Cohere; Ollama has two of them, and tells itself by its replies.
    (r"/chat$", "chat"),
    (r"/generate$", "generate"),
    (r"/embed$", "embeddings"),
    (r"/rerank$", "rerank"),
))


def api_of(url: str) -> str | None:
    """The API that a POST to this address calls; None: no model is called."""
    path = "/" + url.split("?", 1)[0].split("#", 1)[0].strip("/")
    for pattern, api in _APIS:
        if pattern.search(path):
            return api
    return None


class Hide:
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


class Tap:
    """Around the reading of a stream: what passes, and how it ends."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._hide = Hide() if call.injected else None

    def __enter__(self) -> Tap:
        self._call.pulling = True
        return self

    def __call__(self, piece: bytes) -> bytes:
        """What the program sees of a piece; pull() once it has seen it."""
        self._call.pulling = False
        guard(self._call.feed, piece)
        return piece if self._hide is None else self._hide(piece)

    def pull(self) -> None:
        self._call.pulling = True

    def rest(self) -> bytes:
        self._call.pulling = False
        return b"" if self._hide is None else self._hide.rest()

    def __exit__(self, kind: type[BaseException] | None,
                 error: BaseException | None, traceback: object) -> None:
        if error is None:
            guard(self._call.end_stream)
        else:
            guard(self._call.fail, error)


def _tapped(call: Call, pieces: Iterator[bytes]) -> Iterator[bytes]:
    with Tap(call) as tap:
        for piece in pieces:
            shown = tap(piece)
            if shown:
                yield shown
            tap.pull()
        rest = tap.rest()
        if rest:
            yield rest


async def _atapped(call: Call,
                   pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    with Tap(call) as tap:
        async for piece in pieces:
            shown = tap(piece)
            if shown:
                yield shown
            tap.pull()
        rest = tap.rest()
        if rest:
            yield rest


def answered(call: Call, response: Any) -> None:
    """The reply has begun: see its bytes, which may be here or still come."""
    status = response.status_code
    if response.is_closed or hasattr(response, "_content"):
        if status >= 400:
            call.refused(response.content, status)
        else:
            call.body(response.content)
    else:
        call.status = status
        watch(call, response)


def watch(call: Call, response: Any) -> None:
    """See the bytes of a response that is still to be read."""
    call.watched = True
    guard(call.begin_stream)

    def closed() -> None:
        if not call.pulling:
            guard(call.end_stream)

    aiter_bytes, aclose = response.aiter_bytes, response.aclose
    iter_bytes, close = response.iter_bytes, response.close

    async def watched_aclose() -> None:
        try:
            await aclose()
        finally:
            closed()

    def watched_close() -> None:
        try:
            close()
        finally:
            closed()

    response.aiter_bytes = lambda chunk_size=None: _atapped(
        call, aiter_bytes(chunk_size))
    response.iter_bytes = lambda chunk_size=None: _tapped(
        call, iter_bytes(chunk_size))
    response.aclose = watched_aclose
    response.close = watched_close
