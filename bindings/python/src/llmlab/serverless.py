"""Wrappers for functions that are frozen once they have answered: what was
recorded is delivered before.

    @lambda_handler                           # AWS Lambda
    def handler(event, context): ...

    app = vercel_handler(app)                 # Vercel: ASGI, WSGI, or a class
                                              # of BaseHTTPRequestHandler"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from . import _client
from ._client import LLMLab
from ._span import Span, start_trace
from ._web import ask, finish

F = TypeVar("F", bound=Callable[..., Any])

# What the function's own answer still needs, in seconds.
_RESERVE = 0.1


@typing.overload
def lambda_handler(function: F, /) -> F: ...
@typing.overload
def lambda_handler(*, flush: float = ..., client: LLMLab | None = ...,
                   user: Callable[[Any], str | None] | None = ...,
                   ) -> Callable[[F], F]: ...


def lambda_handler(function: Any = None, /, *, flush: float = 2.0,
                   client: LLMLab | None = None,
                   user: Callable[[Any], str | None] | None = None) -> Any:
    """A trace for each invocation, named as the Lambda function; then up to
    `flush` seconds to deliver in, less if the deadline is near. Handlers may
    be sync or async. user: a function of the event. An answer with a
    statusCode of 500 and more is an error."""
    if function is None:
        return functools.partial(lambda_handler, flush=flush, client=client,
                                 user=user)
    cold = True

    def begin(event: Any, context: Any) -> Span:
        nonlocal cold
        name = (getattr(context, "function_name", None) or
                getattr(function, "__name__", "lambda"))
        step = start_trace(str(name), client=client,
                           traceparent=ask("reading a header", _traceparent,
                                           event),
                           user=ask("the hook for users", user, event))
        request = getattr(context, "aws_request_id", None)
        step.start()
        step.set("faas.coldstart", cold)
        step.set("faas.invocation_id", request)
        cold = False
        return step

    def seconds(context: Any) -> float:
        left = getattr(context, "get_remaining_time_in_millis", None)
        if left is None:
            return flush
        rest: Any = ask("the time that is left", left)
        if not isinstance(rest, (int, float)):
            return flush
        return max(0.0, min(flush, rest / 1000 - _RESERVE))

    def end(step: Span, answer: Any) -> None:
        status = answer.get("statusCode") if isinstance(answer, dict) else None
        if isinstance(status, int):
            finish(step, status)
        step.end()

    if inspect.iscoroutinefunction(function):
        @functools.wraps(function)
        async def arun(event: Any, context: Any = None, *more: Any) -> Any:
            step = begin(event, context)
            try:
                with step:
                    answer = await function(event, context, *more)
                    end(step, answer)
                    return answer
            finally:
                await (client or _client.ensure()).aflush(seconds(context))
        return arun

    @functools.wraps(function)
    def run(event: Any, context: Any = None, *more: Any) -> Any:
        step = begin(event, context)
        try:
            with step:
                answer = function(event, context, *more)
                end(step, answer)
                return answer
        finally:
            (client or _client.ensure()).flush(seconds(context))
    return run


def _traceparent(event: Any) -> str | None:
    """Of an event that is an HTTP request."""
    headers = event.get("headers") if isinstance(event, Mapping) else None
    for name, value in (headers or {}).items():
        if str(name).lower() == "traceparent":
            return str(value)
    return None


def vercel_handler(app: Any, *, flush: float = 2.0, **options: Any) -> Any:
    """An ASGI or WSGI application, or a class of BaseHTTPRequestHandler, with a
    trace for each request that is delivered before the answer ends. Options
    are those of llmlab.asgi."""
    if inspect.isclass(app):
        return _trace_class(app, flush, **options)
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(
            getattr(app, "__call__", None)):
        from .asgi import LLMLabMiddleware as Asgi

        return Asgi(app, flush=flush, **options)
    from . import wsgi

    if hasattr(app, "wsgi_app") and hasattr(app, "create_url_adapter"):
        wsgi.trace_flask(app, flush=flush, **options)
        return app
    return wsgi.LLMLabMiddleware(app, flush=flush, **options)


def _trace_class(handler: Any, flush: float, client: LLMLab | None = None,
                 user: Callable[[Any], str | None] | None = None) -> Any:
    """Each do_METHOD of a request handler."""
    def wrap(method: str, function: Callable[..., Any]) -> Any:
        @functools.wraps(function)
        def run(self: Any, *more: Any) -> Any:
            path = str(self.path).split("?", 1)[0]
            step = start_trace(f"{method} {path}", client=client,
                               traceparent=self.headers.get("traceparent"),
                               user=ask("the hook for users", user, self))
            try:
                with step:
                    result = function(self, *more)
                    finish(step, getattr(self, "_llmlab_status", 200))
                    return result
            finally:
                (client or _client.ensure()).flush(flush)
        return run

    def send_response_only(self: Any, code: int, *more: Any) -> None:
        self._llmlab_status = int(code)
        handler.send_response_only(self, code, *more)

    members = {name: wrap(name[3:], getattr(handler, name))
               for name in dir(handler) if name.startswith("do_")}
    return type(handler.__name__, (handler,),
                {"__module__": handler.__module__,
                 "__doc__": handler.__doc__,
                 "send_response_only": send_response_only, **members})
