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
from . import (_agents, _cohere, _google, _langchain, _litellm, _mistral,
               _stainless)
from ._patch import Patch

_Apply = Callable[[Patch, ModuleType], None]

# SDK -> the modules to patch, and what patches them. Where a module has had
# several places, those that there are.
_SDKS: dict[str, dict[str, _Apply]] = {
    "openai": {"openai._base_client": _stainless.patch("openai")},
    "anthropic": {"anthropic._base_client": _stainless.patch("anthropic")},
    "groq": {"groq._base_client": _stainless.patch("groq")},
    "google-genai": {"google.genai._api_client": _google.patch},
    "mistralai": {
        f"{package}.{module}": apply
        for package in ("mistralai.client", "mistralai",
                        "mistralai.azure.client", "mistralai.gcp.client",
                        "mistralai_azure", "mistralai_gcp")
        for module, apply in (("basesdk", _mistral.patch),
                              ("_hooks.sdkhooks", _mistral.patch_hooks))},
    "cohere": {"cohere.core.http_client": _cohere.patch,
               "cohere.client": _cohere.patch_client},
    "litellm": {
        "litellm.llms.custom_httpx.http_handler": _litellm.patch,
        "litellm.litellm_core_utils.streaming_handler":
            _litellm.patch_streams},
    "langchain": {"langchain_core.tracers.context": _langchain.patch},
    "openai-agents": {"agents.tracing": _agents.patch},
}
_ALIASES = {"google": "google-genai", "google.genai": "google-genai",
            "google_genai": "google-genai", "gemini": "google-genai",
            "mistral": "mistralai", "langchain_core": "langchain",
            "langgraph": "langchain", "agents": "openai-agents",
            "openai_agents": "openai-agents"}
# What an SDK calls through.
_BELOW = {"litellm": ("openai",)}

_lock = threading.RLock()
_asked: set[str] = set()  # the SDKs that are instrumented, as they were named
_patches: dict[str, Patch] = {}  # by module
_waiting: dict[str, _Apply] = {}  # by module


def instrument(*sdks: str, include_usage: bool = True) -> None:
    """Trace the calls of these SDKs, or of all that are supported: openai,
    anthropic, google-genai, mistralai, cohere, groq, litellm, langchain and
    openai-agents. Calling again changes nothing.

    include_usage: ask OpenAI's chat streams for their usage where the program
    did not; the chunk that carries it is not shown to the program."""
    _stainless.include_usage = include_usage
    with _lock:
        for sdk in sdks or _SDKS:
            name = _name(sdk)
            if name not in _SDKS:
                log.warning("llmlab cannot instrument %r; it knows %s", sdk,
                            ", ".join(_SDKS))
                continue
            _asked.add(name)
        _settle()


def _name(sdk: object) -> str:
    return _ALIASES.get(sdk, sdk) if isinstance(sdk, str) else ""


def uninstrument(*sdks: str) -> None:
    """Put back what instrument() replaced, for these SDKs or all."""
    with _lock:
        for sdk in sdks or list(_asked):
            _asked.discard(_name(sdk))
        _settle()


def _settle() -> None:
    """Patch what was asked for, undo what no longer is."""
    wanted: dict[str, _Apply] = {}
    for name in _asked:
        for sdk in (name, *_BELOW.get(name, ())):
            wanted.update(_SDKS[sdk])
    for module in [m for m in _patches if m not in wanted]:
        _patches.pop(module).undo()
    _waiting.clear()
    for module, apply in wanted.items():
        if module in _patches:
            continue
        if module in sys.modules:
            _apply(module, sys.modules[module], apply)
        else:
            _waiting[module] = apply
    if _waiting and _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    elif not _waiting and _finder in sys.meta_path:
        sys.meta_path.remove(_finder)


def _apply(name: str, module: ModuleType, apply: _Apply) -> None:
    patch = Patch()
    try:
        apply(patch, module)
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
            apply = _waiting.pop(fullname, None)
        # Without the lock: it may import.
        if apply is not None:
            _apply(fullname, module, apply)

    loader.exec_module = exec_module


_finder = _Finder()
