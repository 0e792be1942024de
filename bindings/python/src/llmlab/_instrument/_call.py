"""One provider call as a span. Nothing here raises into the caller, strict
clients included: what goes wrong is counted there."""

from __future__ import annotations

import json
from typing import Any

from .._native import lib, log
from .._span import Span, _current

_feed = lib.llmlab_bind_stream_feed

KINDS = {"embeddings": "embedding", "embed_content": "embedding",
         "rerank": "rerank"}


_places: dict[str, tuple[str, str | None]] = {}


def where(address: str, otherwise: str) -> tuple[str, str | None]:
    """The provider and region that serve an address, which the library knows;
    an address that it does not know is the SDK's own provider's."""
    if address not in _places:
        facts = json.loads(lib.llmlab_bind_usage(
            json.dumps({"url": address}), b"{}"))
        if len(_places) > 1000:
            _places.clear()
        _places[address] = (facts.get("provider") or otherwise,
                            facts.get("region"))
    return _places[address]


class Call:
    """From before the first attempt until the last byte of the reply."""

    def __init__(self, sdk: str, provider: str, api: str,
                 request: dict[str, Any], region: str | None = None) -> None:
        self.provider = provider
        # How to read the reply; what has no format of its own tells by itself.
        self.api = None if api == "embed_content" else api
        self.injected = False
        self.done = False
        self.watched = False  # its end is told by the response
        # While the next bytes are waited for; a response that breaks off
        # closes itself before its error is seen.
        self.pulling = False
        self.stream = 0  # a reader's handle
        self.seen = False  # the first token
        self.span = Span(f"{sdk}.{api}", KINDS.get(api, "llm"))
        self.span.start()
        if not self.span:
            self.done = True
            return
        self.span._do(lib.llmlab_bind_set_model, provider, None)
        if region is not None:
            self.span.set_tier(region=region)
        model = request.get("model")
        if isinstance(model, str):
            self.span.set_request_model(model)
        client = self.span._client
        if client is not None and client._capture:
            for name in ("messages", "input", "contents", "prompt"):
                if name in request:
                    self.span.set_input(request[name])
                    break

    def attempt(self, number: int) -> None:
        if number > 1:
            self.span.set_attempt(number)

    def body(self, body: bytes | str) -> None:
        """The whole reply."""
        if self.done:
            return
        self.span.set_response(body, self.provider, self.api)
        client = self.span._client
        if client is not None and client._capture:
            self.span.set_output(
                body if isinstance(body, str) else
                body.decode("utf-8", "replace"))
        self.end()

    def begin_stream(self) -> None:
        self.span.set_stream()
        stream = lib.llmlab_bind_stream_new(self.provider, self.api)
        self.stream = max(stream, 0)

    def feed(self, piece: bytes) -> None:
        if self.stream and not self.done:
            first = _feed(self.stream, piece)
            if first == 1 and not self.seen:
                self.seen = True
                self.span.first_token()

    def end_stream(self, error: BaseException | None = None) -> None:
        """The stream is over: to its end, by an error, or because the program
        has read enough."""
        if self.done:
            return
        stream, self.stream = self.stream, 0
        if stream:
            reply = json.loads(lib.llmlab_bind_stream_reply(stream) or "{}")
            complete = bool(reply.get("complete"))
            lib.llmlab_bind_set_stream_reply(self.span._handle, stream)
            lib.llmlab_bind_stream_destroy(stream)
            if not complete and isinstance(error, Exception):
                self.span.set_error(type(error).__name__)
            elif not complete and not reply.get("error"):
                self.span.set_outcome("cancelled")
        self.end()

    def fail(self, error: BaseException) -> None:
        if self.done:
            return
        if self.stream:
            self.end_stream(error)
            return
        if isinstance(error, Exception):
            response = getattr(error, "response", None)
            status = getattr(error, "status_code", None)
            body = getattr(error, "body", None)
            detail = body.get("error", body) if isinstance(body, dict) else {}
            code = None
            kind = type(error).__name__
            if isinstance(detail, dict):
                code = detail.get("code")
                kind = detail.get("type") or detail.get("status") or kind
            self.span.set_error(str(kind), None if code is None else str(code),
                                status if isinstance(status, int) else 0)
            if response is not None:
                headers = response.request.headers
                retries = headers.get("x-stainless-retry-count", "0")
                self.attempt(int(retries) + 1)
        else:
            self.span.set_outcome("cancelled")
        self.end()

    def end(self) -> None:
        if not self.done:
            self.done = True
            self.span.end()

    def __del__(self) -> None:
        # Given up without a word: a stream that was never read or closed.
        try:
            if not getattr(self, "done", True):
                self.end_stream()
        except Exception:
            pass


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
