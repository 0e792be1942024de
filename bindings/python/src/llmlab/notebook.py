"""What a notebook's cell costs. In IPython, Jupyter and their like:

    %load_ext llmlab

    %%llm_cost
    answer = client.chat.completions.create(...)

    %llm_cost ask("What is new?")

prints a line as `2 calls  2400 in  160 out  $0.000456`. `%llm_cost_all on`
does so under every cell that makes a call, `off` ends it.

Calls of other threads that end meanwhile count too."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from . import _client

_COUNTED = ("calls", "input_tokens", "output_tokens", "unpriced_calls")


def _now() -> dict[str, Any]:
    client = _client.ensure()
    client.flush(5)
    stats = client.stats()
    return {"client": client, "cost": stats.get("cost", Decimal(0)),
            **{name: stats.get(name, 0) for name in _COUNTED}}


def told(before: dict[str, Any], after: dict[str, Any]) -> str:
    """The difference of two moments. A client that was replaced by init() in
    between began at nothing."""
    if before["client"] is not after["client"]:
        before = dict.fromkeys(before, 0)
    count = {name: after[name] - before[name] for name in _COUNTED}
    cost = (after["cost"] - before["cost"]).normalize()
    text = (f"{count['calls']} call{'' if count['calls'] == 1 else 's'}"
            f"  {count['input_tokens']} in  {count['output_tokens']} out"
            f"  ${cost:f}")
    if count["unpriced_calls"]:
        text += f"  and {count['unpriced_calls']} unpriced"
    return text


def load(ipython: Any) -> None:
    """%load_ext llmlab"""
    cell: dict[str, Any] = {}

    def llm_cost(line: str, text: str | None = None) -> Any:
        """%llm_cost CODE and %%llm_cost: run it and print what it cost."""
        before = _now()
        try:
            result = ipython.run_cell(line if text is None else text)
        finally:
            print(told(before, _now()))
        result.raise_error()

    def before_cell(_: Any = None) -> None:
        cell["before"] = _now()

    def after_cell(_: Any = None) -> None:
        before = cell.pop("before", None)
        if before is not None:
            after = _now()
            if (before["client"] is not after["client"] or
                    before["calls"] != after["calls"]):
                print(told(before, after))

    def llm_cost_all(line: str) -> None:
        """%llm_cost_all on|off: under every cell that makes calls."""
        for event, function in (("pre_run_cell", before_cell),
                                ("post_run_cell", after_cell)):
            if function in ipython.events.callbacks[event]:
                ipython.events.unregister(event, function)
            if line.strip() != "off":
                ipython.events.register(event, function)

    ipython.register_magic_function(llm_cost, "line_cell")
    ipython.register_magic_function(llm_cost_all, "line")
