"""Clients: open, flush, close, and which one is the default."""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from ._native import LLMLabError, NativeError, error_from, error_of, lib, log

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._settings import Settings
    from ._span import Span

EXIT_TIMEOUT = 2.0

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO,
           "warning": logging.WARNING, "error": logging.ERROR}

_lock = threading.Lock()
_opening = threading.Lock()
_open: dict[int, "LLMLab"] = {}
default: "LLMLab | None" = None
closing: list[Callable[[LLMLab], None]] = []  # what to do before


class FlushResult(NamedTuple):
    """What became of the calls. ok: everything was delivered in time."""

    ok: bool
    status: str
    delivered: int
    rejected: int
    dropped: int
    spooled: int
    pending: int


class LLMLab:
    """A client. The keywords are the settings of docs/CONFIGURATION.md with
    "_" for "."; LLMLAB_* variables fill what is not given.

    Opening never raises unless strict: with wrong settings it logs once and
    the client is disabled. The first client becomes the default of trace(),
    span() and the instrumented SDKs."""

    def __init__(self, api_key: str | None = None, project: str | None = None,
                 *, strict: bool = False,
                 mask: Callable[[str], str] | None = None,
                 instrument: bool | Iterable[str] = False,
                 **settings: Unpack[Settings]) -> None:
        self.strict = strict
        self.misuses = 0
        self._mask = mask
        self._handle = 0
        self._capture = False
        self._fingerprints = False
        problem: Exception | None = None
        try:
            self._start(api_key, project, dict(settings))
        except Exception as error:
            problem = error_from(error) if isinstance(error, NativeError) else (
                error)
            if strict:
                raise problem from None
        with _lock:
            _open[id(self)] = self
            global default
            if default is None:
                default = self
        # Not before: what handles the lines may be traced itself.
        if problem is not None:
            log.error("llmlab is disabled: %s", problem)
        poll_log()
        _watch_multiprocessing()
        if instrument is not False:
            from ._instrument import instrument as patch

            try:
                patch(*(() if instrument is True else
                        (instrument,) if isinstance(instrument, str) else
                        instrument))
            except Exception as error:
                self.fault(error)

    def _start(self, api_key: str | None, project: str | None,
               given: dict[str, Any]) -> None:
        dotted = {name.replace(".", "_"): name for name in setting_names()}
        settings = {dotted.get(name, name): value
                    for name, value in given.items() if value is not None}
        if api_key is not None:
            settings["api_key"] = api_key
        if project is not None:
            settings["project"] = project
        settings.setdefault("language", "python")
        for name, value in settings.items():
            if isinstance(value, os.PathLike):
                settings[name] = os.fspath(value)
        handle = lib.llmlab_bind_open(json.dumps(settings))
        if handle < 0:
            raise error_of(handle)
        if not lib.llmlab_bind_enabled(handle):
            # A disabled client costs nothing: spans on 0 are no-ops.
            lib.llmlab_bind_close(handle, 0)
            return
        self._handle = handle
        capture = settings.get("capture.content",
                               os.environ.get("LLMLAB_CAPTURE_CONTENT"))
        self._capture = capture in ("metadata", "full")
        prints = settings.get("fingerprint",
                              os.environ.get("LLMLAB_FINGERPRINT"))
        self._fingerprints = prints in ("request", "prefix")

    @property
    def enabled(self) -> bool:
        """Whether spans are recorded."""
        return self._handle != 0

    def trace(self, name: str, **options: Any) -> Span:
        """As llmlab.trace(name), on this client."""
        from ._span import start_trace

        return start_trace(name, client=self, **options)

    def span(self, name: str, kind: str = "span", **options: Any) -> Span:
        """As llmlab.span(), on this client."""
        from ._span import Span

        return Span(name, kind, client=self, **options)

    def record(self, **call: Any) -> bool:
        """Record a finished call: see llmlab.record()."""
        try:
            status = lib.llmlab_bind_record(self._handle, json.dumps(call))
        except Exception as error:
            self.fault(error)
            return False
        if status < 0:
            self.refused(status)
        return bool(status == 0)

    def score(self, name: str, value: bool | float | str, *, trace_id: str,
              span_id: str | None = None, **facts: Any) -> bool:
        """Record what somebody thinks of a trace, or of one of its spans: see
        llmlab.score()."""
        try:
            if self._mask is not None and facts.get("comment") is not None:
                facts["comment"] = self._mask(facts["comment"])
            status = lib.llmlab_bind_score(self._handle, json.dumps(
                {"name": name, "value": value, "trace_id": trace_id,
                 "span_id": span_id, **facts}))
        except Exception as error:
            self.fault(error)
            return False
        if status < 0:
            self.refused(status)
        return bool(status == 0)

    def flush(self, timeout: float = 2.0) -> FlushResult:
        """Deliver what was recorded; blocks up to timeout seconds."""
        result: dict[str, Any] = {}
        try:
            if self._handle:
                result = json.loads(
                    lib.llmlab_bind_flush(self._handle, _ms(timeout)))
        except Exception as error:
            self.fault(error)
        poll_log()
        status = result.get("name", "LLMLAB_EDISABLED")
        counts = (result.get(name, 0) for name in FlushResult._fields[2:])
        return FlushResult(status == "LLMLAB_OK", status, *counts)

    async def aflush(self, timeout: float = 2.0) -> FlushResult:
        """flush() without blocking the event loop."""
        return await asyncio.to_thread(self.flush, timeout)

    def stats(self) -> dict[str, Any]:
        """The ledger: what was accepted, delivered, dropped and why, and what
        it cost (a Decimal)."""
        stats: dict[str, Any] = {}
        try:
            if self._handle:
                stats = json.loads(lib.llmlab_bind_stats(self._handle))
                stats["cost"] = Decimal(stats["cost"])
        except Exception as error:
            self.fault(error)
        stats["misuses"] = self.misuses
        poll_log()
        return stats

    def close(self, timeout: float = 2.0) -> None:
        """Flush and stop. Closing again does nothing."""
        global default
        for prepare in closing:
            prepare(self)
        with _lock:
            _open.pop(id(self), None)
            if default is self:
                default = None
            handle, self._handle = self._handle, 0
        wrong = None
        try:
            limit = _ms(timeout)
        except Exception as error:
            wrong, limit = error, _ms(EXIT_TIMEOUT)
        if handle:
            lib.llmlab_bind_close(handle, limit)
        poll_log()
        if wrong is not None:
            self.fault(wrong)

    def __enter__(self) -> LLMLab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Tracing does not raise: these two decide.

    def fault(self, error: BaseException) -> None:
        """What the binding was given cannot be used: count it, or raise."""
        self.misuses += 1
        if self.strict:
            if isinstance(error, NativeError):
                error = error_from(error)
            raise error
        if self.misuses == 1:
            log.warning("dropped by llmlab, and counted from now on: %s: %s",
                        type(error).__name__, error)

    def refused(self, status: int) -> None:
        """The same for a status code below 0."""
        if status not in _EXPECTED:
            self.fault(error_of(status))


# Off; no price; no usage; a span of the parent process.
_EXPECTED = frozenset((-6, -10, -20, -19))


def _ms(seconds: float) -> int:
    return int(max(0.0, min(seconds * 1000, 86_400_000.0)))


_names: list[str] = []


def setting_names() -> list[str]:
    if not _names:
        _names.extend(setting["name"] for setting in
                      json.loads(lib.llmlab_bind_info())["settings"])
    return _names


def ensure() -> LLMLab:
    """The default client; the first use opens it from LLMLAB_* variables."""
    if default is not None:
        return default
    with _opening:
        return default if default is not None else LLMLab()


def init(api_key: str | None = None, project: str | None = None, *,
         strict: bool = False, mask: Callable[[str], str] | None = None,
         instrument: bool | Iterable[str] = False,
         **settings: Unpack[Settings]) -> LLMLab:
    """Open the default client, in place of the one there was (which is
    flushed and closed). Arguments as LLMLab()."""
    global default
    previous, default = default, None
    try:
        client = LLMLab(api_key, project, strict=strict, mask=mask,
                        instrument=instrument, **settings)
    except BaseException:
        default = previous
        raise
    default = client
    if previous is not None:
        previous.close()
    return client


def poll_log() -> None:
    """Hand the library's own log lines to logging."""
    try:
        text = lib.llmlab_bind_poll_log()
    except NativeError:
        return  # no memory for them
    if text:
        hand_log(text)


def hand_log(text: str) -> None:
    for line in json.loads(text):
        try:
            if "skipped" in line:
                log.warning("%d log lines were lost", line["skipped"])
            else:
                log.log(_LEVELS.get(line["level"], logging.WARNING), "%s",
                        line["text"])
        except Exception:
            pass  # a handler's own fault; it is not to stop the program


def close_all() -> None:
    """At the end of the process: bounded over all clients together."""
    deadline = time.monotonic() + EXIT_TIMEOUT
    for client in list(_open.values()):
        client.close(max(0.0, deadline - time.monotonic()))


def _flush_all() -> None:
    deadline = time.monotonic() + EXIT_TIMEOUT
    for client in list(_open.values()):
        client.flush(max(0.0, deadline - time.monotonic()))


# multiprocessing's children leave by os._exit(): no atexit runs there, but its
# own finalizers do.
_watched = False


def _finalize(_: object = None) -> None:
    util = sys.modules["multiprocessing.util"]
    util.Finalize(None, _flush_all, exitpriority=10)


def _watch_celery() -> None:
    """Celery's children leave by os._exit() too, and tell of it before."""
    signals = sys.modules.get("celery.signals")
    if signals is None:
        return
    try:
        signals.worker_process_shutdown.connect(
            _flush_celery, weak=False, dispatch_uid="llmlab")
    except Exception:
        log.debug("no flush at the end of Celery's children", exc_info=True)


def _flush_celery(**_: object) -> None:
    _flush_all()


def _watch_multiprocessing() -> None:
    global _watched
    util = sys.modules.get("multiprocessing.util")
    if util is None or _watched:
        return
    _watched = True
    try:
        util.register_after_fork(LLMLab, _finalize)
        process = sys.modules.get("multiprocessing.process")
        if process is not None and process.parent_process() is not None:
            _finalize()
    except Exception:
        log.debug("no flush at the end of multiprocessing's children",
                  exc_info=True)


def _before_fork() -> None:
    if _open:
        _watch_multiprocessing()
        _watch_celery()


def _after_fork_in_child() -> None:
    # Another thread of the parent may have held them.
    global _lock, _opening
    _lock = threading.Lock()
    _opening = threading.Lock()


atexit.register(close_all)
os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)

__all__ = ["FlushResult", "LLMLab", "LLMLabError", "init"]
