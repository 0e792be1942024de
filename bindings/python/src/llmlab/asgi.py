"""A trace for each request of FastAPI, Starlette, or any ASGI application:

    app.add_middleware(LLMLabMiddleware)      # FastAPI, Starlette
    app = LLMLabMiddleware(app)               # any

The trace has the route's template as its name ("POST /chat/{room}"), goes on
with a traceparent that came in, and lasts until the body's last byte.
Websockets are left alone. When the application is shut down, what is left is
delivered: uvicorn ends by a signal, which no atexit survives. Options:

    user, session   functions of the scope; their results are inherited by all
                    steps. What only your endpoint knows, it says itself:
                    current_span().set_user(...)
    route           a function of the scope, where the application is none of
                    Starlette's: the template, or None
    skip            paths that are not traced: {"/health"}
    traceparent     False: callers do not decide what trace they are in
    flush           seconds to deliver in before the last byte goes out, for
                    where the process is frozen then; 0 leaves it to the worker
    client          an LLMLab; the default one otherwise"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from . import _client
from ._span import _current
from ._web import Middleware, ask, finish

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_PARTIAL, _FULL = 1, 2


class LLMLabMiddleware(Middleware):
    """See the module."""

    async def __call__(self, scope: Scope, receive: Receive,
                       send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, self._at_shutdown(send))
            return
        if scope["type"] != "http" or scope.get("path") in self.skip:
            await self.app(scope, receive, send)
            return
        route = ask("finding the route", self.route or template, scope)
        step = self.begin(scope, scope["method"], route,
                          header(scope, b"traceparent"))
        if not step:
            await self.app(scope, receive, send)
            return
        status = 0
        gone = False

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal gone, status
            last = False
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                last = not message.get("more_body", False)
            if last and self.flush > 0:
                finish(step, status)
                await self._deliver(self.flush)
            try:
                await send(message)
            except BaseException:
                gone = True  # nobody listens any more: no fault of ours
                raise
            if last:
                # What runs in the background now are still its steps.
                finish(step, status)

        token = _current.set(step)
        try:
            await self.app(scope, receive, watched)
        except BaseException as error:
            if not step._ended and not gone:
                step.fail(error)
            raise
        finally:
            _current.reset(token)
            finish(step, status, whole=False)

    def _at_shutdown(self, send: Send) -> Send:
        async def watched(message: MutableMapping[str, Any]) -> None:
            if message["type"].startswith("lifespan.shutdown."):
                await self._deliver(_client.EXIT_TIMEOUT)
            await send(message)
        return watched

    async def _deliver(self, seconds: float) -> None:
        await (self.client or _client.ensure()).aflush(seconds)


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of this name."""
    for key, value in scope.get("headers") or ():
        if key.lower() == name:
            return bytes(value).decode("latin-1")
    return None


def template(scope: Scope) -> str | None:
    """The template of the route that Starlette or FastAPI is going to take."""
    routes = getattr(scope.get("app"), "routes", None)
    return _find(routes, scope) if routes else None


def _find(routes: Iterable[Any], scope: Scope) -> str | None:
    second = None
    for route in routes:
        match, more = route.matches(dict(scope))
        if match.value not in (_PARTIAL, _FULL):
            continue
        path = _path_of(route, {**scope, **more})
        if match.value == _FULL:
            return path
        second = second or path
    return second


def _path_of(route: Any, scope: Scope) -> str | None:
    # A router that FastAPI includes keeps its routes' full paths here.
    inner = getattr(route, "effective_candidates", None)
    if inner is not None:
        return _find(inner(), scope)
    route = getattr(route, "starlette_route", None) or route
    routes = getattr(route, "routes", None)
    path = str(getattr(route, "path", ""))
    if routes:
        return path + (_find(routes, scope) or "")
    return path or None
