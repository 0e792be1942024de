"""The native module under names that read well, and what stands in for it
where it cannot be loaded: tracing is then off, the program is not."""

from __future__ import annotations

import logging
from typing import Any

log = logging.getLogger("llmlab")

EDISABLED = -6


class LLMLabError(Exception):
    """What strict mode raises: a status code, its name, and the detail."""

    def __init__(self, code: int, name: str, detail: str) -> None:
        super().__init__(f"{name}: {detail}" if detail else name)
        self.code = code
        self.name = name
        self.detail = detail


class _Absent:
    """Every function of the native module, doing nothing."""

    Error = RuntimeError

    def __getattr__(self, name: str) -> Any:
        if name in ("llmlab_bind_cost", "llmlab_bind_usage",
                    "llmlab_bind_resolve", "llmlab_bind_info"):
            return self._fail
        if name in ("llmlab_bind_tokens_estimate", "llmlab_bind_begin",
                    "llmlab_bind_begin_remote",
                    "llmlab_bind_open", "llmlab_bind_enabled",
                    "llmlab_bind_stream_new", "llmlab_bind_stream_feed"):
            return lambda *_: 0
        if name in ("llmlab_bind_poll_log", "llmlab_bind_take_batch",
                    "span_base"):
            return lambda *_: None
        if name in ("llmlab_bind_flush", "llmlab_bind_stats"):
            return lambda *_: "{}"
        if name in ("llmlab_bind_detail", "llmlab_bind_status_name"):
            return lambda *_: "the native module is missing"
        return lambda *_: EDISABLED

    def _fail(self, *_: object) -> str:
        raise RuntimeError(EDISABLED, "LLMLAB_EDISABLED",
                           f"the native module is missing: {absent}")


lib: Any
absent: str | None = None
try:
    from . import _llmlab_native

    lib = _llmlab_native
except ImportError as error:
    absent = str(error)
    lib = _Absent()
    log.error("llmlab is disabled: its native module cannot be loaded: %s",
              error)

NativeError: type[Exception] = lib.Error


def error_of(code: int) -> LLMLabError:
    """The error that a status code below 0 stands for. On the same thread."""
    return LLMLabError(code, lib.llmlab_bind_status_name(code),
                       lib.llmlab_bind_detail())


def error_from(error: Exception) -> LLMLabError:
    """The same from what a text function of the native module raises."""
    first = error.args[0] if error.args else None
    if isinstance(first, tuple):
        return LLMLabError(*first)
    if len(error.args) == 3:
        return LLMLabError(*error.args)
    return LLMLabError(-21, "LLMLAB_EINTERNAL", str(error))
