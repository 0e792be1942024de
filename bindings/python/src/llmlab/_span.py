"""Spans, the current span, and trace() and span()."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import os
import time
import typing
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from types import TracebackType
from typing import Any, TypeVar

from . import _client, _span_base
from ._client import LLMLab
from ._native import lib

F = TypeVar("F", bound=Callable[..., Any])

KINDS = {name: number for number, name in enumerate((
    "span", "agent", "llm_call", "tool_call", "retrieval", "embedding",
    "rerank", "chain", "guardrail", "evaluator"))}
KINDS.update(step=0, generic=0, llm=2, tool=3)
OUTCOMES = {"unset": 0, "success": 1, "error": 2, "cancelled": 3}

_begin = lib.llmlab_bind_begin
_end = lib.llmlab_bind_end_keep
_release = lib.llmlab_bind_release
_set_string = lib.llmlab_bind_set_string
_set_int = lib.llmlab_bind_set_int
_set_double = lib.llmlab_bind_set_double
_set_bool = lib.llmlab_bind_set_bool

_current = _span_base.current

# What is common is done in C, the rest below: see native/span_base.c.
if typing.TYPE_CHECKING:
    _Base = _span_base.SpanBase
else:
    _Base = (lib.span_base(_current, KINDS, vars(_client)) or
             _span_base.SpanBase)

_inside: Callable[[Span | None], Span | None] | None = None


def _here() -> Span | None:
    """The span that the code runs in."""
    here: Span | None = _current.get()
    return here if _inside is None else _inside(here)


class _Here:
    get = staticmethod(_here)
    set = _current.set
    reset = _current.reset


def place_by(inside: Callable[[Span | None], Span | None] | None) -> None:
    """Agent frameworks tell which of their steps the code runs in."""
    global _inside
    _inside = inside
    lib.span_base(_current if inside is None else _Here, KINDS,
                  vars(_client))


_NO_EXTRA = (None, False, None, None, None, ())


class Span(_Base):
    """One step. `with span("name", kind="tool") as s:` starts and ends it and
    makes it current between; used as a decorator it does so around each call.
    Setters never raise unless the client is strict; on a span that is not
    recorded they do nothing."""

    __slots__ = ("__weakref__",)

    if typing.TYPE_CHECKING:
        def __init__(self, name: str, kind: str = "span", *,
                     client: LLMLab | None = None,
                     traceparent: str | None = None,
                     agent: str | None = None, user: str | None = None,
                     session: str | None = None, tags: Iterable[str] = (),
                     attributes: Mapping[str, Any] | None = None,
                     root: bool = False) -> None: ...

    def _describe(self, name: str, kind: str = "span", *,
                  client: LLMLab | None = None, traceparent: str | None = None,
                  agent: str | None = None, user: str | None = None,
                  session: str | None = None, tags: Iterable[str] = (),
                  attributes: Mapping[str, Any] | None = None,
                  root: bool = False) -> None:
        self._name = name
        self._kind = kind
        self._client = client
        self._attributes = attributes
        extra = (traceparent, root, agent, user, session, tags)
        if any(one is not none for one, none in zip(extra, _NO_EXTRA)):
            self._extra = extra

    # Its life.

    def start(self) -> Span:
        """Start without making it current; the parent is the current span.
        One that has ended starts anew."""
        if self._handle > 0:
            if not self._ended:
                return self
            _release(self._handle)
            self._handle = 0
        self._ended = False
        client = self._client
        extra = self._extra
        parent = _current.get()
        if _inside is not None:
            parent = _inside(parent)
        try:
            if parent is not None and (client is None or
                                       client is parent._client):
                client = self._client = parent._client
            else:
                parent = None
                if client is None:
                    client = self._client = _client.default or _client.ensure()
            if parent is None and not client._handle:
                return self
            kind = KINDS[self._kind]
            handle = 0
            if extra is not None and (extra[0] or extra[1]):
                parent = None
                if extra[0]:
                    handle = lib.llmlab_bind_begin_remote(
                        client._handle, extra[0], self._name, kind)
            if handle == 0:
                handle = _begin(client._handle,
                                0 if parent is None else parent._handle,
                                self._name, kind)
            if handle < 0:
                handle = self._begin_elsewhere(parent, handle, kind)
            self._handle = handle
            if handle > 0:
                if extra is not None:
                    self._set_extra(extra)
                if self._attributes:
                    self.set_attributes(self._attributes)
        except Exception as error:
            self._fault(error)
        return self

    def _begin_elsewhere(self, parent: Span | None, status: int,
                         kind: int) -> int:
        """The parent's handle means nothing here: in a forked child, or after
        its client was replaced. Continue its trace, or start a new one."""
        client = self._client
        assert client is not None
        if parent is None:
            client.refused(status)
            return 0
        if not client._handle:
            client = self._client = _client.default or _client.ensure()
        place, who = parent._remote or (None, {})
        handle: int = lib.llmlab_bind_begin_remote(
            client._handle, place, self._name, kind)
        if handle < 0:
            client.refused(handle)
            return 0
        self._handle = handle
        # An agent's span has its own.
        agent = None if self._kind == "agent" else who.get("agent")
        self._set_extra((None, None, agent, who.get("user"),
                         who.get("session"), who.get("tags")))
        return handle

    def _set_extra(self, extra: tuple[Any, ...]) -> None:
        _, _, agent, user, session, tags = extra
        if agent:
            self.set_agent(agent)
        if user:
            self.set_user(user)
        if session:
            self.set_session(session)
        if tags:
            self.add_tags(*([tags] if isinstance(tags, str) else tags))

    def end(self) -> None:
        """End it. Ending again does nothing."""
        if self._handle > 0 and not self._ended:
            self._ended = True
            status = _end(self._handle)
            if status < 0:
                self._refused(status)
            _client.poll_log()

    async def __aenter__(self) -> Span:
        return self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None,
                        error: BaseException | None,
                        traceback: TracebackType | None) -> None:
        self.__exit__(kind, error, traceback)

    def __bool__(self) -> bool:
        return self._handle > 0

    def __call__(self, function: F) -> F:
        return decorate(function, self._again)

    def _again(self, _name: str) -> Span:
        """A fresh span of the same description, for each decorated call."""
        again = Span(self._name, self._kind)
        again._client = self._client
        again._extra = self._extra
        again._attributes = self._attributes
        return again

    def __repr__(self) -> str:
        return f"<llmlab.Span {self._name!r} {self.trace_id or 'off'}>"

    # What it says.

    def _set(self, key: str, value: object) -> None:
        """set() of whatever there is."""
        handle = self._handle
        try:
            of = type(value)
            if of is str:
                mask = self._client._mask  # type: ignore[union-attr]
                if mask is not None:
                    value = mask(value)  # type: ignore[arg-type]
                status = _set_string(handle, key, value)
            elif of is int:
                status = _set_int(handle, key, value)
            elif of is float:
                status = _set_double(handle, key, value)
            elif of is bool:
                status = _set_bool(handle, key, value)
            else:
                status = self._set_other(key, value)
        except Exception as error:
            if type(error) is OverflowError:
                self._set(key, str(value))
            else:
                self._fault(error)
            return
        if status < 0:
            self._refused(status)

    def _set_other(self, key: str, value: object) -> int:
        status: int
        if value is None:
            return 0
        if isinstance(value, (str, Decimal)):
            status = _set_string(self._handle, key, self._masked(str(value)))
        elif isinstance(value, int):
            status = _set_int(self._handle, key, int(value))
        elif isinstance(value, float):
            status = _set_double(self._handle, key, float(value))
        else:
            text = json.dumps(value, default=str)
            status = _set_string(self._handle, key, self._masked(text))
        return status

    def _set_attributes(self, attributes: Mapping[str, Any]) -> None:
        try:
            pairs = [(key, value) for key, value in attributes.items()]
        except Exception as error:
            self._fault(error)
            return
        for key, value in pairs:
            self.set(key, value)

    def set_agent(self, agent: str) -> None:
        """The agent; as user, session and tags, spans below inherit it."""
        self._do(lib.llmlab_bind_set_agent, agent)

    def set_user(self, user: str) -> None:
        self._do(lib.llmlab_bind_set_user, user)

    def set_session(self, session: str) -> None:
        self._do(lib.llmlab_bind_set_session, session)

    def add_tags(self, *tags: str) -> None:
        for tag in tags:
            self._do(lib.llmlab_bind_add_tag, tag)

    def set_outcome(self, outcome: str) -> None:
        """success, error or cancelled. An error wins over a success."""
        try:
            number = OUTCOMES[outcome]
        except (KeyError, TypeError) as error:
            self._fault(error)
            return
        self._do(lib.llmlab_bind_set_outcome, number)

    def set_error(self, type: str, code: str | None = None,
                  http_status: int = 0) -> None:
        """Mark as failed: a short class, the provider's code. No message:
        messages quote prompts."""
        self._do(lib.llmlab_bind_set_error, type, code, http_status)

    def fail(self, error: BaseException) -> None:
        """Mark as failed by an exception, or as cancelled by one that is no
        error (CancelledError, KeyboardInterrupt, GeneratorExit)."""
        if isinstance(error, Exception):
            status = vars(error).get("status_code", 0)
            self.set_error(type(error).__name__, None,
                           status if isinstance(status, int) else 0)
        else:
            self.set_outcome("cancelled")

    def set_model(self, model: str | None, provider: str | None = None) -> None:
        self._do(lib.llmlab_bind_set_model, provider, model)

    def set_request_model(self, model: str) -> None:
        self._do(lib.llmlab_bind_set_request_model, model)

    def set_usage(self, **tokens: int | None) -> None:
        """Counts by their canonical names: input_tokens, output_tokens,
        cache_read_tokens, ... It replaces what was stated before."""
        self._do(lambda handle: lib.llmlab_bind_set_usage(handle,
                                                          _json(tokens)))

    def set_cost(self, usd: str | Decimal) -> None:
        """The charge that the provider stated."""
        self._do(lambda handle: lib.llmlab_bind_set_cost(handle, str(usd)))

    def set_estimated_usage(self, **tokens: int | None) -> None:
        """As set_usage, of counts that nobody stated (estimate_tokens())."""
        self._do(lambda handle: lib.llmlab_bind_set_estimated_usage(
            handle, _json(tokens)))

    def set_request(self, body: Any, provider: str | None = None,
                    api: str | None = None) -> None:
        """The request as it is sent. Its text is not kept; as the setting
        fingerprint says, a keyed hash of the prompt is."""
        self._set_body(lib.llmlab_bind_set_request, body, provider, api)

    def set_response(self, body: Any, provider: str | None = None,
                     api: str | None = None) -> None:
        """Read model, usage, cost and errors out of a provider's reply and
        price it: bytes or text as they came, a dict, or an SDK's model."""
        self._set_body(lib.llmlab_bind_set_response, body, provider, api)

    def set_tier(self, service_tier: str | None = None,
                 region: str | None = None, speed: str | None = None,
                 batch: bool = False) -> None:
        self._do(lambda handle: lib.llmlab_bind_set_tier(
            handle, service_tier, region, speed, 1 if batch else 0))

    def set_search_context(self, size: str) -> None:
        """low, medium or high: how much a web search takes in."""
        self._do(lib.llmlab_bind_set_search_context, size)

    def set_finish(self, reason: str | None,
                   response_id: str | None = None) -> None:
        self._do(lib.llmlab_bind_set_finish, reason, response_id)

    def set_prompt(self, name: str, version: str | None = None) -> None:
        self._do(lib.llmlab_bind_set_prompt, name, version)

    def set_attempt(self, attempt: int) -> None:
        self._do(lib.llmlab_bind_set_attempt, attempt)

    def set_stream(self, stream: bool = True) -> None:
        self._do(lambda handle: lib.llmlab_bind_set_stream(
            handle, 1 if stream else 0))

    def first_token(self) -> None:
        """The first token has come: now."""
        self._do(lib.llmlab_bind_first_token)

    def set_input(self, value: Any) -> None:
        """The prompt; recorded only if capture_content says so."""
        self._set_text(lib.llmlab_bind_set_input, value)

    def set_output(self, value: Any) -> None:
        """The reply; recorded only if capture_content says so."""
        self._set_text(lib.llmlab_bind_set_output, value)

    def set_times(self, start_ns: int = 0, end_ns: int = 0) -> None:
        """Unix nanoseconds; 0 leaves the measured time."""
        self._do(lib.llmlab_bind_set_times, start_ns, end_ns)

    def score(self, name: str, value: bool | float | str,
              **facts: Any) -> bool:
        """What somebody thinks of this span: see llmlab.score()."""
        trace_id, span_id = self.trace_id, self.span_id
        if self._client is None or not trace_id:
            return False
        return self._client.score(name, value, trace_id=trace_id,
                                  span_id=span_id, **facts)

    # What it knows.

    @property
    def cost(self) -> Decimal | None:
        """USD so far; None while nothing can be priced."""
        text = self._text(lib.llmlab_bind_span_cost)
        usd = json.loads(text).get("cost_usd") if text else None
        return None if usd is None else Decimal(usd)

    @property
    def traceparent(self) -> str:
        """The W3C header that continues the trace elsewhere; "" when off."""
        return self._text(lib.llmlab_bind_traceparent)

    @property
    def trace_id(self) -> str:
        """32 hex digits; "" when off."""
        return self._text(lib.llmlab_bind_trace_id)

    @property
    def span_id(self) -> str:
        """16 hex digits; "" when off."""
        return self._text(lib.llmlab_bind_span_id)

    def _who(self) -> dict[str, Any]:
        who: dict[str, Any] = json.loads(
            self._text(lib.llmlab_bind_identity) or "{}")
        return who

    # How.

    def _do(self, function: Callable[..., int], *arguments: object) -> None:
        if self._handle <= 0:
            return
        try:
            status = function(self._handle, *arguments)
        except Exception as error:
            self._fault(error)
            return
        if status < 0:
            self._refused(status)

    def _set_body(self, function: Callable[..., int], body: Any,
                  provider: str | None, api: str | None) -> None:
        if self._handle <= 0:
            return
        if not isinstance(body, (bytes, str)):
            try:
                dump = getattr(body, "model_dump_json", None)
                body = dump() if dump is not None else json.dumps(body)
            except Exception as error:
                self._fault(error)
                return
        self._do(function, provider, api, body)

    def _text(self, function: Callable[[int], str | None]) -> str:
        if self._handle <= 0:
            return ""
        try:
            return function(self._handle) or ""
        except Exception:
            return ""

    def _set_text(self, function: Callable[..., int], value: Any) -> None:
        if (self._handle <= 0 or self._client is None or
                not self._client._capture):
            return
        try:
            text = value if isinstance(value, str) else _json(value)
            self._do(function, self._masked(text))
        except Exception as error:
            self._fault(error)

    def _masked(self, text: str) -> str:
        mask = self._client._mask if self._client is not None else None
        return text if mask is None else mask(text)

    def _fault(self, error: Exception) -> None:
        if self._client is not None:
            self._client.fault(error)

    def _refused(self, status: int) -> None:
        if self._client is None:
            return
        if self._ended and status == -1:
            status = -5  # a kept handle only serves as a parent
        self._client.refused(status)


def _json(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


# What help() and editors show; __init__ is in the base.
_described = inspect.signature(Span._describe)
setattr(Span, "__signature__", _described.replace(
    parameters=list(_described.parameters.values())[1:]))
span = Span
_nothing = Span("nothing")


def current_span() -> Span:
    """The span this code runs in; one that does nothing where there is
    none."""
    return _here() or _nothing


def start_trace(name: str, *, kind: str = "agent", agent: str | None = None,
                **options: Any) -> Span:
    own = agent is not None and agent != ""
    return Span(name, kind, agent=agent if own else name, **options)


@typing.overload
def trace(name: F, /) -> F: ...
@typing.overload
def trace(name: str | None = None, *, kind: str = ..., tags: Iterable[str] = ...,
          user: str | None = ..., session: str | None = ...,
          agent: str | None = ..., traceparent: str | None = ...,
          attributes: Mapping[str, Any] | None = ..., root: bool = ...,
          client: LLMLab | None = ...) -> Span: ...


def trace(name: Any = None, **options: Any) -> Any:
    """A run of an agent. `@trace`, `@trace(tags=[...])`, or
    `with trace("name"):`. Inside another trace it is a step of that one,
    unless root=True."""
    if callable(name):
        return decorate(name, start_trace)
    if name is None:
        return _Unnamed(options)
    return start_trace(name, **options)


class _Unnamed(Span):
    """A trace that takes its name from the function it decorates."""

    __slots__ = ("_options",)

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__("trace", **{"kind": "agent", **options})
        self._options = options

    def __call__(self, function: F) -> F:
        return decorate(function,
                        functools.partial(start_trace, **self._options))


def propagate(function: F) -> F:
    """The function, running in the span that is current now: for executors
    and threads, which start without one."""
    if not callable(function):
        return function  # which fails where it is called
    here = _here()

    if inspect.iscoroutinefunction(function):
        @functools.wraps(function)
        async def arun(*args: Any, **kwargs: Any) -> Any:
            token = _current.set(here)
            try:
                return await function(*args, **kwargs)
            finally:
                _current.reset(token)
        return typing.cast(F, arun)

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        token = _current.set(here)
        try:
            return function(*args, **kwargs)
        finally:
            _current.reset(token)
    return typing.cast(F, run)


# Decorating. A decorated function is of the same sort as before: sync, async,
# generator or async generator.

def decorate(function: F, make: Callable[[str], Span]) -> F:
    name = getattr(function, "__name__", type(function).__name__)
    wrapped: Any
    if inspect.isasyncgenfunction(function):
        wrapped = _async_generator(function, make, name)
    elif inspect.isgeneratorfunction(function):
        wrapped = _generator(function, make, name)
    elif inspect.iscoroutinefunction(function):
        wrapped = _coroutine(function, make, name)
    else:
        wrapped = _function(function, make, name)
    return typing.cast(F, functools.wraps(function)(wrapped))


def _arguments(step: Span, args: Any, kwargs: Any) -> None:
    client = step._client
    if client is not None and client._capture:
        step.set_input({"args": args, "kwargs": kwargs})


def _function(function: Callable[..., Any], make: Callable[[str], Span],
              name: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        with make(name) as step:
            _arguments(step, args, kwargs)
            result = function(*args, **kwargs)
            step.set_output(result)
            return result
    return call


def _coroutine(function: Callable[..., Any], make: Callable[[str], Span],
               name: str) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        with make(name) as step:
            _arguments(step, args, kwargs)
            result = await function(*args, **kwargs)
            step.set_output(result)
            return result
    return call


# A generator's span is current only while its body runs; between, the
# consumer's own steps would become its children. A consumer that stops early
# is no error; the span then ends with the last item, not when the interpreter
# clears the generator up.

def _generator(function: Callable[..., Any], make: Callable[[str], Span],
               name: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        step = make(name).start()
        _arguments(step, args, kwargs)
        inner = function(*args, **kwargs)
        sent: Any = None
        thrown: BaseException | None = None
        last = 0
        try:
            while True:
                token = _current.set(step) if step else None
                try:
                    if thrown is not None:
                        item = inner.throw(thrown)
                    else:
                        item = inner.send(sent)
                except StopIteration as stop:
                    return stop.value
                except BaseException as error:
                    step.fail(error)
                    raise
                finally:
                    if token is not None:
                        _current.reset(token)
                last = time.time_ns()
                sent = thrown = None
                try:
                    sent = yield item
                except GeneratorExit:
                    step.set_times(0, last)
                    inner.close()
                    raise
                except BaseException as error:
                    thrown = error
        finally:
            step.end()
    return call


def _async_generator(function: Callable[..., Any],
                     make: Callable[[str], Span],
                     name: str) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        step = make(name).start()
        _arguments(step, args, kwargs)
        inner = function(*args, **kwargs)
        sent: Any = None
        thrown: BaseException | None = None
        last = 0
        try:
            while True:
                token = _current.set(step) if step else None
                try:
                    if thrown is not None:
                        item = await inner.athrow(thrown)
                    else:
                        item = await inner.asend(sent)
                except StopAsyncIteration:
                    return
                except BaseException as error:
                    step.fail(error)
                    raise
                finally:
                    if token is not None:
                        _current.reset(token)
                last = time.time_ns()
                sent = thrown = None
                try:
                    sent = yield item
                except (GeneratorExit, asyncio.CancelledError) as error:
                    step.set_times(0, last)
                    if not isinstance(error, GeneratorExit):
                        step.fail(error)
                    await inner.aclose()
                    raise
                except BaseException as error:
                    thrown = error
        finally:
            step.end()
    return call


# A forked child cannot use its parent's handles; what it needs to go on with
# the trace is written down before.

def _before_fork() -> None:
    here = _here()
    if here is not None and here.traceparent:
        here._remote = (here.traceparent, here._who())


os.register_at_fork(before=_before_fork)
