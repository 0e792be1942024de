"""Trace ids in the program's own log lines."""

from __future__ import annotations

import logging

from ._span import _here


class TraceIdFilter(logging.Filter):
    """Adds trace_id and span_id to each record, "" outside of traces:

    handler.addFilter(TraceIdFilter())
    handler.setFormatter(logging.Formatter("%(trace_id)s %(message)s"))
    """

    def filter(self, record: logging.LogRecord) -> bool:
        here = _here()
        record.trace_id = "" if here is None else here.trace_id
        record.span_id = "" if here is None else here.span_id
        return True
