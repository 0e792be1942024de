"""For tests of programs that are traced:

    with llmlab.testing.capture() as captured:
        my_agent("hello")
    assert captured.cost_usd < Decimal("0.01")
    assert [s["name"] for s in captured.spans] == [...]

Nothing leaves the process meanwhile."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from . import _client
from ._native import lib


class Captured:
    """What was recorded so far."""

    def __init__(self, client: _client.LLMLab) -> None:
        self.client = client
        self._batches: list[dict[str, Any]] = []

    def _take(self) -> None:
        if not self.client._handle:
            return
        self.client.flush(10)
        while True:
            text = lib.llmlab_bind_take_batch(self.client._handle)
            if text is None:
                return
            self._batches.append(json.loads(text))

    @property
    def batches(self) -> list[dict[str, Any]]:
        """As the server would get them, see docs/WIRE.md."""
        self._take()
        return self._batches

    @property
    def spans(self) -> list[dict[str, Any]]:
        """All ended spans in the order of their ends; each with trace_id."""
        steps = [dict(step, trace_id=trace["trace_id"])
                 for batch in self.batches for trace in batch["traces"]
                 for step in trace["steps"]]
        return sorted(steps, key=lambda step: int(step["n"]))

    @property
    def scores(self) -> list[dict[str, Any]]:
        """All scores, in order."""
        return [score for batch in self.batches for score in batch["scores"]]

    def span(self, name: str) -> dict[str, Any]:
        """The one span of this name."""
        found = [step for step in self.spans if step["name"] == name]
        if len(found) != 1:
            raise LookupError(f"{len(found)} spans are named {name!r}, of "
                              f"{[step['name'] for step in self.spans]}")
        return found[0]

    @property
    def cost_usd(self) -> Decimal:
        """The sum over what could be priced; what a provider itself charged
        goes before our figure."""
        costs = (step.get("provider_cost") or step.get("cost")
                 for step in self.spans)
        return sum((Decimal(cost) for cost in costs if cost), Decimal(0))


@contextlib.contextmanager
def capture(*, strict: bool = True, **settings: Any) -> Iterator[Captured]:
    """A default client that keeps what it records, until the block is left."""
    before = _client.default
    _client.default = None
    options = {"exporter": "memory", "enabled": True, "sample_rate": 1,
               "queue_full": "wait", "queue_wait_ms": 10_000, **settings}
    client = _client.LLMLab(strict=strict, **options)
    captured = Captured(client)
    try:
        yield captured
        captured._take()
    finally:
        client.close()
        _client.default = before
