"""One line that makes every call of the provider SDKs a span:

    llmlab.instrument()            # all that are supported
    llmlab.instrument("openai")    # these

SDKs that are not imported yet are patched when they are. uninstrument() puts
everything back."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import threading
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from .._native import log
from . import _google, _stainless
from ._patch import Patch

# SDK -> (the module to patch, what patches it)
_SDKS: dict[str, tuple[str, Callable[[Patch, ModuleType], None]]] = {
    "openai": ("openai._base_client", _stainless.patch("openai")),
    "anthropic": ("anthropic._base_client", _stainless.patch("anthropic")),
    "groq": ("groq._base_client", _stainless.patch("groq")),
    "google-genai": ("google.genai._api_client", _google.patch),
}
_ALIASES = {"google": "google-genai", "google.genai": "google-genai",
            "google_genai": "google-genai", "gemini": "google-genai"}

_lock = threading.Lock()
_patches: dict[str, Patch] = {}
_waiting: dict[str, str] = {}  # module -> SDK


def instrument(*sdks: str, include_usage: bool = True) -> None:
    """Trace the calls of these SDKs, or of all that are supported: openai,
    anthropic, google-genai, groq. Calling again changes nothing.

    include_usage: ask OpenAI's chat streams for their usage where the program
    did not; the chunk that carries it is not shown to the program."""
    _stainless.include_usage = include_usage
    for sdk in sdks or _SDKS:
        name = _ALIASES.get(sdk, sdk)
        if name not in _SDKS:
            log.warning("llmlab cannot instrument %r; it knows %s", sdk,
                        ", ".join(_SDKS))
            continue
        with _lock:
            if name in _patches:
                continue
            module = _SDKS[name][0]
            if module in sys.modules:
                _apply(name, sys.modules[module])
            else:
                _waiting[module] = name
                if _finder not in sys.meta_path:
                    sys.meta_path.insert(0, _finder)


def uninstrument(*sdks: str) -> None:
    """Put back what instrument() replaced, for these SDKs or all."""
    for sdk in sdks or list(_SDKS):
        name = _ALIASES.get(sdk, sdk)
        with _lock:
            patch = _patches.pop(name, None)
            if patch is not None:
                patch.undo()
            if name in _SDKS:
                _waiting.pop(_SDKS[name][0], None)
            if not _waiting and _finder in sys.meta_path:
                sys.meta_path.remove(_finder)


def _apply(name: str, module: ModuleType) -> None:
    patch = Patch()
    try:
        _SDKS[name][1](patch, module)
    except Exception as error:
        patch.undo()
        log.warning("llmlab cannot instrument this version of %s: %s: %s",
                    name, type(error).__name__, error)
        return
    _patches[name] = patch


class _Finder(importlib.abc.MetaPathFinder):
    """Patches a module right after it was imported."""

    def find_spec(self, fullname: str, path: Sequence[str] | None,
                  target: ModuleType | None = None,
                  ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in _waiting:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec: importlib.machinery.ModuleSpec | None = find(
                fullname, path, target)
            if spec is not None:
                loader: Any = spec.loader
                if hasattr(loader, "exec_module"):
                    _hook(loader, fullname)
                return spec
        return None


def _hook(loader: Any, fullname: str) -> None:
    run = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        del loader.exec_module
        run(module)
        with _lock:
            name = _waiting.pop(fullname, None)
            if name is not None:
                _apply(name, module)

    loader.exec_module = exec_module


_finder = _Finder()
