"""One provider call as a span. Nothing here raises into the caller, strict
clients included: what goes wrong is counted there."""

from __future__ import annotations

import json
import weakref
from collections.abc import Mapping
from typing import Any

from .. import _client
from .._native import lib, log
from .._span import Span, _current
from ._frameworks import take
from ._text import Text

_feed = lib.llmlab_bind_stream_feed

KINDS = {"embeddings": "embedding", "embed_content": "embedding",
         "rerank": "rerank"}
_LAST = (b"[DONE]", b"message_stop", b"response.completed", b"message-end",
         b"stream-end")
_NO_USAGE = -20
_FORMLESS = ("embed_content",)
_INPUTS = ("messages", "input", "inputs", "contents", "prompt", "message",
           "texts", "query")


_places: dict[tuple[str, str], tuple[str, str | None]] = {}


def where(address: str, otherwise: str) -> tuple[str, str | None]:
    """The provider and region that serve an address, which the library knows;
    an address that it does not know is the SDK's own provider's."""
    place = _places.get((address, otherwise))
    if place is None:
        facts = json.loads(lib.llmlab_bind_usage(
            json.dumps({"url": address}), b"{}"))
        if len(_places) > 1000:
            _places.clear()
        place = facts.get("provider") or otherwise, facts.get("region")
        _places[address, otherwise] = place
    return place


_reading: weakref.WeakSet[Call] = weakref.WeakSet()


def _end_all(client: Any) -> None:
    """The client closes: what is still read is known as far as it was."""
    for call in list(_reading):
        if call.span._client is client:
            guard(call.end_stream)


_client.closing.append(_end_all)


class Call:
    """From before the first attempt until the last byte of the reply."""

    def __init__(self, sdk: str, provider: str, api: str,
                 request: Mapping[str, Any], region: str | None = None) -> None:
        self.provider = provider
        # How to read the reply; what has no format of its own tells by itself.
        self.api = None if api in _FORMLESS else api
        self.injected = False
        self.attempts = 0
        self.done = False
        self.watched = False  # its end is told by the response
        # While the next bytes are waited for; a response that breaks off
        # closes itself before its error is seen.
        self.pulling = False
        self.stream = 0  # a reader's handle
        self.seen = False  # the first token
        self.text: Text | None = None
        self.status = 0  # of a reply that is read as a stream
        self.refusal = bytearray()
        self.ending = False  # a last event has been seen
        self.tail = b""
        self.span = take(self) or Span(f"{sdk}.{api}",
                                       KINDS.get(api, "llm")).start()
        if not self.span:
            self.done = True
            return
        self.span._do(lib.llmlab_bind_set_model, provider, None)
        if region is not None:
            self.span.set_tier(region=region)
        model = request.get("model")
        if isinstance(model, str):
            self.span.set_request_model(model)
        self.request: Mapping[str, Any] | None = request
        client = self.span._client
        if client is not None and client._fingerprints:
            self._tell_request()
        if self.captures:
            for name in _INPUTS:
                if request.get(name) is not None:
                    self.span.set_input(request[name])
                    break

    @property
    def captures(self) -> bool:
        client = self.span._client
        return client is not None and client._capture

    def _tell_request(self) -> bool:
        """For its fingerprint; and for an estimate where no usage comes, which
        wants the prompt before the reply."""
        request, self.request = self.request, None
        return bool(request) and 0 == lib.llmlab_bind_set_request(
            self.span._handle, None, None, json.dumps(request, default=str))

    def attempt(self, number: int) -> None:
        if number > 1:
            self.span.set_attempt(number)

    def body(self, body: bytes | str) -> None:
        """The whole reply."""
        if self.done:
            return
        handle, provider, api = self.span._handle, self.provider, self.api
        status = lib.llmlab_bind_set_response(handle, provider, api, body)
        if status == _NO_USAGE and self._tell_request():
            lib.llmlab_bind_set_response(handle, provider, api, body)
        if self.captures:
            self.span.set_output(
                body if isinstance(body, str) else
                body.decode("utf-8", "replace"))
        self.end()

    def begin_stream(self) -> None:
        self.span.set_stream()
        stream = lib.llmlab_bind_stream_new(self.provider, self.api)
        self.stream = max(stream, 0)
        _reading.add(self)
        if self.captures:
            self.text = Text()

    def feed(self, piece: bytes) -> None:
        if self.stream and not self.done:
            if _feed(self.stream, piece) == 1 and not self.seen:
                self.seen = True
                self.span.first_token()
            if self.text is not None:
                self.text.feed(piece)
            if self.status >= 400:
                self.refusal += piece
            # Some read no further than its last event, nor close it.
            self.ending = self.ending or any(
                last in self.tail + piece for last in _LAST)
            if self.ending:
                if (self.tail + piece).endswith((b"}\n", b"]\n")):
                    # Who reads by lines sees it now, and may not go on.
                    _feed(self.stream, b"\n")
                reply = lib.llmlab_bind_stream_reply(self.stream)
                if json.loads(reply or "{}").get("complete"):
                    self.end_stream()
            self.tail = piece[-20:]

    def end_stream(self, error: BaseException | None = None) -> None:
        """The stream is over: to its end, by an error, or because the program
        has read enough."""
        if self.done:
            return
        stream, self.stream = self.stream, 0
        if stream:
            reply = json.loads(lib.llmlab_bind_stream_reply(stream) or "{}")
            complete = bool(reply.get("complete"))
            if reply.get("usage_source") != "provider":
                self._tell_request()
            lib.llmlab_bind_set_stream_reply(self.span._handle, stream)
            lib.llmlab_bind_stream_destroy(stream)
            text, self.text = self.text, None
            if text is not None:
                self.span.set_output(str(text))
            if self.status >= 400:
                self._fault(_detail(bytes(self.refusal)), "HTTPStatusError",
                            self.status)
            elif not complete and isinstance(error, Exception):
                self._describe(error)
            elif not complete and not reply.get("error") and (
                    # A reader may leave after the last word, not the last byte.
                    not reply.get("finish_reason")):
                self.span.set_outcome("cancelled")
        self.end()

    def fail(self, error: BaseException) -> None:
        if self.done:
            return
        if self.stream:
            self.end_stream(error)
            return
        if isinstance(error, Exception):
            self._describe(error)
        else:
            self.span.set_outcome("cancelled")
        self.end()

    def refused(self, body: bytes | str, status: int) -> None:
        """The reply of a server that answers with an error."""
        self._fault(_detail(body), "HTTPStatusError", status)
        self.end()

    def _describe(self, error: Exception) -> None:
        response = getattr(error, "response", None)
        # Google's errors have the HTTP status as their code.
        statuses = (getattr(error, "status_code", None),
                    getattr(error, "code", None),
                    getattr(response, "status_code", None))
        status = next((s for s in statuses if isinstance(s, int)), 0)
        self._fault(_detail(getattr(error, "body", None) or
                            getattr(error, "text", None)),
                    getattr(error, "status", None) or type(error).__name__,
                    status)
        try:
            retries = response.request.headers[  # type: ignore[union-attr]
                "x-stainless-retry-count"]
        except (AttributeError, KeyError, RuntimeError):
            return
        self.attempt(int(retries) + 1)

    def _fault(self, detail: dict[str, Any], kind: object,
               status: int) -> None:
        """The class and code of an error, not its message: that quotes."""
        code = detail.get("code")
        self.span.set_error(
            str(detail.get("type") or detail.get("status") or kind),
            None if code is None else str(code), status)

    def end(self) -> None:
        if not self.done:
            self.done = True
            self.request = None
            _reading.discard(self)
            self.span.end()

    def __del__(self) -> None:
        # A stream that nobody read or closed.
        if self.stream and not self.done:
            guard(self.end_stream)


def _detail(body: object) -> dict[str, Any]:
    """What an error's body says, in the envelopes of the providers."""
    if isinstance(body, (bytes, str)):
        try:
            body = json.loads(body)
        except ValueError:
            return {}
    if isinstance(body, dict):
        body = body.get("error", body)
    return body if isinstance(body, dict) else {}


def guard(function: Any, *arguments: Any) -> Any:
    """Call our own code; what it raises ends here."""
    try:
        return function(*arguments)
    except Exception:
        client = None
        here = _current.get()
        if here is not None:
            client = here._client
        if client is not None:
            client.misuses += 1
        log.debug("llmlab could not trace a call", exc_info=True)
        return None
