"""Plain functions over the price book; they need no client. Wrong input
raises: who calls them wants the answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ._native import NativeError, error_from, lib

_MONEY = ("cost_usd", "provider_cost_usd", "upstream_cost_usd")


def _answer(text: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(text)
    for name in _MONEY:
        if answer.get(name) is not None:
            answer[name] = Decimal(answer[name])
    parts = answer.get("parts")
    if parts:
        answer["parts"] = {k: Decimal(v) for k, v in parts.items()}
    return answer


def cost(model: str, *, provider: str | None = None,
         usage: Mapping[str, int | None] | None = None,
         **facts: Any) -> dict[str, Any]:
    """Price a call. usage has the canonical names (input_tokens and
    output_tokens are whole, cache_read_tokens, ... are parts of them). facts:
    service_tier, speed, region, search_context, batch, at. Answers cost_usd
    (a Decimal, None where unpriced), match, pricing, parts, key, table."""
    call = {"provider": provider, "model": model, "usage": dict(usage or {}),
            **facts}
    call = {name: value for name, value in call.items() if value is not None}
    try:
        return _answer(lib.llmlab_bind_cost(json.dumps(call)))
    except NativeError as error:
        raise error_from(error) from None


def usage(body: str | bytes | Mapping[str, Any], *,
          provider: str | None = None, api: str | None = None,
          url: str | None = None,
          headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Read and price a provider's whole reply: JSON or a stream as it came."""
    facts: dict[str, Any] = {"provider": provider, "api": api, "url": url}
    facts = {name: value for name, value in facts.items() if value is not None}
    if headers:
        facts["headers"] = dict(headers)
    if isinstance(body, Mapping):
        body = json.dumps(body)
    try:
        return _answer(lib.llmlab_bind_usage(json.dumps(facts), body))
    except NativeError as error:
        raise error_from(error) from None


def resolve(model: str, *, provider: str | None = None) -> dict[str, Any]:
    """Find a model in the price book: status, key, table."""
    try:
        return _answer(lib.llmlab_bind_resolve(provider, model))
    except NativeError as error:
        raise error_from(error) from None


def estimate_tokens(text: str, *, provider: str | None = None) -> int:
    """About how many tokens a text is, for where no usage arrives; no
    tokenizer (docs/USAGE.md tells how far it is off)."""
    return int(lib.llmlab_bind_tokens_estimate(provider, text))
