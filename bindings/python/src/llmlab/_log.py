"""Trace ids in the program's own log lines."""

from __future__ import annotations

import logging
from typing import Any

from ._span import _here


class TraceIdFilter(logging.Filter):
    """Adds trace_id and span_id to each record, "" outside of traces:

    handler.addFilter(TraceIdFilter())
    handler.setFormatter(logging.Formatter("%(trace_id)s %(message)s"))
    """

    def filter(self, record: logging.LogRecord) -> bool:
        _add(record)
        return True


def log_trace_ids() -> None:
    """The same for every record of the process, whatever its handlers: sets
    logging's record factory, on top of the one there is. Once is enough."""
    before = logging.getLogRecordFactory()
    if getattr(before, "adds_trace_ids", False):
        return

    def factory(*arguments: Any, **options: Any) -> logging.LogRecord:
        record: logging.LogRecord = before(*arguments, **options)
        _add(record)
        return record

    setattr(factory, "adds_trace_ids", True)
    logging.setLogRecordFactory(factory)


def _add(record: logging.LogRecord) -> None:
    here = _here()
    record.trace_id = "" if here is None else here.trace_id
    record.span_id = "" if here is None else here.span_id
