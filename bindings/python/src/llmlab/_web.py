"""What the middleware of ASGI, WSGI and the wrappers of functions share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from . import _client
from ._client import LLMLab
from ._native import log
from ._span import Span, start_trace

# Of a request's method, which anybody may make up, only these become names.
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE",
                     "OPTIONS"))

_complained: set[str] = set()


def ask(what: str, hook: Callable[..., Any] | None, *arguments: Any) -> Any:
    """What a user's hook, or a framework, says; None where it fails: tracing
    does not raise."""
    if hook is None:
        return None
    try:
        return hook(*arguments)
    except Exception:
        if what not in _complained:
            _complained.add(what)
            log.warning("llmlab: %s failed; told once", what, exc_info=True)
        return None


class Middleware:
    """The options of both sorts of middleware."""

    def __init__(self, app: Any, *, client: LLMLab | None = None,
                 user: Callable[[Any], str | None] | None = None,
                 session: Callable[[Any], str | None] | None = None,
                 route: Callable[[Any], str | None] | None = None,
                 skip: Iterable[str] = (), traceparent: bool = True,
                 flush: float = 0) -> None:
        self.app = app
        self.client = client
        self.user = user
        self.session = session
        self.route = route
        self.skip = frozenset((skip,) if isinstance(skip, str) else skip)
        self.traceparent = traceparent
        self.flush = flush

    def begin(self, request: Any, method: str, route: str | None,
              traceparent: str | None) -> Span:
        """Start a request's trace; it is not current yet."""
        if method not in METHODS:
            method = "HTTP"
        step = start_trace(
            f"{method} {route}" if route else method, client=self.client,
            traceparent=traceparent if self.traceparent else None,
            user=ask("the hook for users", self.user, request),
            session=ask("the hook for sessions", self.session, request))
        step.start()
        if step:
            step.set("http.request.method", method)
            if route:
                step.set("http.route", route)
        return step

    def hand_over(self) -> None:
        """Deliver what the request left, where a freeze may follow."""
        if self.flush > 0:
            (self.client or _client.ensure()).flush(self.flush)


def finish(step: Span, status: int, whole: bool = True) -> None:
    """End a request's trace with what was answered; 0: nothing was. Not whole:
    the answer was given up on the way."""
    if not step or step._ended:
        return
    if status:
        step.set("http.response.status_code", status)
    if status >= 500:
        step.set_error(str(status), None, status)
    elif not status or not whole:
        step.set_outcome("cancelled")
    step.end()
