"""Replace what a module has, and put it back."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from typing import Any

# A call in steps: yields the arguments of each try, is sent its result or
# thrown its error, and returns what the caller gets. One such generator serves
# a function and its async twin.
Steps = Generator[tuple[tuple[Any, ...], dict[str, Any]], Any, Any]


class Patch:
    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def method(self, owner: type, name: str,
               make: Callable[[Callable[..., Any]], Callable[..., Any]],
               ) -> None:
        """Put make(original) in the place of a method."""
        original = owner.__dict__[name]
        replacement = functools.wraps(original)(make(original))
        setattr(owner, name, replacement)

        def undo() -> None:
            # Somebody else may have wrapped ours: leave theirs.
            if owner.__dict__.get(name) is replacement:
                setattr(owner, name, original)
        self.undone_by(undo)

    def steps(self, owner: type, name: str,
              steps: Callable[..., Steps]) -> None:
        """Run a method, sync or async, in steps."""
        self.method(owner, name, lambda original: (
            _async_in_steps if inspect.iscoroutinefunction(original) else
            _in_steps)(original, steps))

    def undone_by(self, undo: Callable[[], None]) -> None:
        self._undo.append(undo)

    def undo(self) -> None:
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()


def _in_steps(original: Callable[..., Any],
              steps: Callable[..., Steps]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        running = steps(*args, **kwargs)
        try:
            args, kwargs = next(running)
            while True:
                try:
                    result = original(*args, **kwargs)
                except BaseException as error:
                    args, kwargs = running.throw(error)
                else:
                    args, kwargs = running.send(result)
        except StopIteration as stop:
            return stop.value
    return call


def _async_in_steps(original: Callable[..., Any],
                    steps: Callable[..., Steps]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        running = steps(*args, **kwargs)
        try:
            args, kwargs = next(running)
            while True:
                try:
                    result = await original(*args, **kwargs)
                except BaseException as error:
                    args, kwargs = running.throw(error)
                else:
                    args, kwargs = running.send(result)
        except StopIteration as stop:
            return stop.value
    return call
