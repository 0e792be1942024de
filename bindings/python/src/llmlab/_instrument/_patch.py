"""Replace attributes and put them back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Patch:
    def __init__(self) -> None:
        self._undo: list[tuple[type, str, Any, Any]] = []

    def method(self, owner: type, name: str,
               make: Callable[[Callable[..., Any]], Callable[..., Any]],
               ) -> None:
        """Put make(original) in the place of a method."""
        original = owner.__dict__[name]
        replacement = make(original)
        replacement.__name__ = original.__name__
        replacement.__qualname__ = original.__qualname__
        replacement.__doc__ = original.__doc__
        replacement.__wrapped__ = original  # type: ignore[attr-defined]
        setattr(owner, name, replacement)
        self._undo.append((owner, name, original, replacement))

    def undo(self) -> None:
        for owner, name, original, replacement in reversed(self._undo):
            # Somebody else may have wrapped ours: leave theirs.
            if owner.__dict__.get(name) is replacement:
                setattr(owner, name, original)
        self._undo.clear()
