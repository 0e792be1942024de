"""What native/span_base.c does, in Python: for where the native module is
missing, and for all interpreters of a process but the first."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ._native import lib

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._client import LLMLab

current: ContextVar[Any] = ContextVar("llmlab_span", default=None)

_release = lib.llmlab_bind_release


class SpanBase:
    __slots__ = ("_attributes", "_client", "_ended", "_extra", "_handle",
                 "_kind", "_name", "_remote", "_token")

    _name: str
    _kind: str
    _client: LLMLab | None
    _attributes: Mapping[str, Any] | None
    _token: Any
    # For where the handle means nothing, a forked child: its traceparent, and
    # whom it is for.
    _remote: tuple[str, dict[str, Any]] | None
    _extra: tuple[Any, ...] | None
    _handle: int
    _ended: bool

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._client = self._attributes = self._extra = None
        self._remote = self._token = None
        self._handle = 0
        self._ended = False
        self._call("_describe", *arguments, **options)

    def __enter__(self) -> Self:
        """Start, and be current."""
        if self._handle == 0 or self._ended:
            self._call("start")
        if self._handle > 0 and self._token is None:
            self._token = current.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None,
                 error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        """End."""
        if self._handle <= 0:
            return
        token, self._token = self._token, None
        if token is not None:
            try:
                current.reset(token)
            except ValueError:
                pass  # left in another context than entered
        if self._ended:
            return
        if error is not None:
            self._call("fail", error)
        self._call("end")

    def set(self, key: str, value: object) -> None:
        """An attribute: str, int, float or bool; other values as JSON text,
        None not at all."""
        if self._handle > 0:
            self._call("_set", key, value)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Many attributes."""
        if self._handle > 0:
            self._call("_set_attributes", attributes)

    def _call(self, name: str, *arguments: Any, **options: Any) -> None:
        """A method of Span."""
        getattr(self, name)(*arguments, **options)

    def __del__(self) -> None:
        # Until here an ended span can still be a parent.
        if getattr(self, "_handle", 0) > 0 and _release is not None:
            _release(self._handle)
