"""A trace for each request of Flask, or any WSGI application:

    trace_flask(app)                          # Flask
    application = LLMLabMiddleware(application, route=...)

The trace has the route's template as its name ("POST /chat/<room>"), goes on
with a traceparent that came in, and lasts until the body is closed. Options
are those of llmlab.asgi, with the environ in the place of the scope."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ._span import Span, _current
from ._web import Middleware, ask, finish


class LLMLabMiddleware(Middleware):
    """See the module."""

    def __call__(self, environ: dict[str, Any],
                 start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("PATH_INFO") in self.skip:
            return self._plain(environ, start_response)
        route = ask("finding the route", self.route, environ)
        step = self.begin(environ, environ.get("REQUEST_METHOD", ""), route,
                          environ.get("HTTP_TRACEPARENT"))
        if not step:
            return self._plain(environ, start_response)
        answered = _Answer(start_response)
        token = _current.set(step)
        try:
            body: Iterable[bytes] = self.app(environ, answered)
        except BaseException as error:
            step.fail(error)
            step.end()
            self.hand_over()
            raise
        finally:
            _current.reset(token)
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(body, (list, tuple)) or (
                isinstance(wrapper, type) and isinstance(body, wrapper)):
            # Whole, or the server's own: it looks at what it gets.
            finish(step, answered.status)
            self.hand_over()
            return body
        # Of an answer to HEAD nobody asks for the body.
        return _Body(self, step, answered, body,
                     environ.get("REQUEST_METHOD") == "HEAD")

    def _plain(self, environ: dict[str, Any],
               start_response: Callable[..., Any]) -> Iterable[bytes]:
        body: Iterable[bytes] = self.app(environ, start_response)
        return body


class _Answer:
    """start_response(), listened to."""

    def __init__(self, start_response: Callable[..., Any]) -> None:
        self.start_response = start_response
        self.status = 0

    def __call__(self, status: str, *more: Any) -> Any:
        try:
            self.status = int(status[:3])
        except ValueError:
            pass
        return self.start_response(status, *more)


class _Body:
    """A body that is made while it is sent: the span is current only while the
    application runs, not while the server does."""

    def __init__(self, middleware: LLMLabMiddleware, step: Span,
                 answered: _Answer, body: Iterable[bytes],
                 whole: bool) -> None:
        self._middleware = middleware
        self._step = step
        self._answered = answered
        self._body = body
        self._pieces: Iterator[bytes] | None = None
        self._whole = whole

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        token = _current.set(self._step)
        try:
            if self._pieces is None:
                self._pieces = iter(self._body)
            return next(self._pieces)
        except StopIteration:
            self._whole = True
            raise
        except BaseException as error:
            self._step.fail(error)
            raise
        finally:
            _current.reset(token)

    def close(self) -> None:
        token = _current.set(self._step)
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        except BaseException as error:
            self._step.fail(error)
            raise
        finally:
            _current.reset(token)
            finish(self._step, self._answered.status, self._whole)
            self._middleware.hand_over()


def trace_flask(app: Any, **options: Any) -> None:
    """Trace each request of a Flask application. Once an application."""
    if isinstance(app.wsgi_app, LLMLabMiddleware):
        return

    def route(environ: dict[str, Any]) -> str | None:
        adapter = app.create_url_adapter(
            app.request_class(environ, populate_request=False))
        try:
            return str(adapter.match(return_rule=True)[0].rule)
        except Exception as error:
            # 404, 405 and redirects, which are werkzeug's.
            if hasattr(error, "get_response"):
                return None
            raise

    app.wsgi_app = LLMLabMiddleware(app.wsgi_app,
                                    **{"route": route, **options})
