"""Agent frameworks keep their own account of what runs within what: LangChain
by its callbacks, the Agents SDK by its trace processors. What they report
becomes spans, and what runs inside, the program's own spans and provider
calls, goes below them. Their step that calls a model waits for the SDK call
which it makes, and is that call's span: no call is counted twice."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

from .._span import Span, _current, place_by

if TYPE_CHECKING:
    from ._call import Call

_numbers = itertools.count(1)


class Step:
    """One step of a framework, below the step that the framework says."""

    __slots__ = ("above", "before", "call", "ended", "model", "number", "outer", "span")

    def __init__(self, span: Span, below: Step | None = None, *,
                 model: bool = False) -> None:
        self.outer = _current.get()
        self.number = next(_numbers)
        self.model = model
        self.call: Call | None = None
        self.before: Step | None = None  # which this one interrupts
        self.ended = False
        # A span that the program opened within that step goes between.
        inside = below is not None and below.outer is self.outer
        self.above: Span | None = (
            below.span if below is not None and inside else
            _inside(self.outer))
        self.span: Span = start(span, self.above)

    def finish(self) -> bool:
        """No more comes. Whether a provider's SDK has told about the call; if
        not, the framework is asked, and the span is still open."""
        self.ended = True
        call = self.call
        if call is None:
            return False
        if call.stream:
            call.end_stream()  # the framework has read enough
        else:
            call.end()
        return True


def start(span: Span, parent: Span | None) -> Span:
    if parent is None:
        return span.start()
    token = _current.set(parent)
    try:
        return span.start()
    finally:
        _current.reset(token)


_places: dict[str, Callable[[], Step | None]] = {}


def register(name: str, place: Callable[[], Step | None]) -> None:
    """place() tells the framework's step that this code runs in."""
    _places[name] = place
    place_by(_inside)


def unregister(name: str) -> None:
    _places.pop(name, None)
    if not _places:
        place_by(None)


def _innermost(here: Span | None) -> Step | None:
    """A step hides the program's span that it runs in, not those in it."""
    found = None
    for place in list(_places.values()):
        step = place()
        if (step is not None and not step.ended and step.outer is here and
                (found is None or step.number > found.number)):
            found = step
    return found


def _inside(here: Span | None) -> Span | None:
    """The parent of what starts now. Nothing goes below a call of a model:
    while its stream is read, the program runs in it."""
    try:
        step = _innermost(here)
    except Exception:
        return here
    if step is None:
        return here
    return step.above if step.model else step.span


def take(call: Call) -> Span | None:
    """The span of the step that waits for this call."""
    if not _places:
        return None
    step = _innermost(_current.get())
    if step is None or not step.model or step.call is not None or (
            not step.span):
        return None
    step.call = call
    return step.span
