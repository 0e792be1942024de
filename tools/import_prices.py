#!/usr/bin/env python3
"""Make src/pricing/prices.json from public price files.

    tools/import_prices.py --litellm FILE --tokencost FILE --checked INSTANT

For maintainers; the build needs no Python. The public files are in LiteLLM's
form. What they get wrong, what they do not know (history, time windows) and
what they have dropped is told in tools/price_facts.json. Afterwards look at
`git diff --word-diff src/pricing/prices.json` or `llmlab pricing diff OLD NEW`
and commit what is right.
"""
import argparse
import json
import os
import re
import sys
from decimal import Decimal

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "../src/pricing/prices.json")
FACTS = os.path.join(HERE, "price_facts.json")

TOKENS = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "input_cost_per_audio_token": "input_audio",
    "input_cost_per_image_token": "input_image",
    "input_cost_per_video_token": "input_video",
    "output_cost_per_reasoning_token": "reasoning",
    "output_cost_per_audio_token": "output_audio",
    "output_cost_per_image_token": "output_image",
    "output_cost_per_video_token": "output_video",
    "citation_cost_per_token": "citation",
    "cache_read_input_audio_token_cost": "cache_read_audio",
}
UNITS = {
    "code_interpreter_cost_per_session": "code_interpreter_session",
    "input_cost_per_character": "input_character",
    "output_cost_per_character": "output_character",
    "input_cost_per_second": "input_second",
    "output_cost_per_second": "output_second",
    "input_cost_per_audio_per_second": "input_audio_second",
    "input_cost_per_video_per_second": "input_video_second",
    "output_cost_per_video_per_second": "output_video_second",
    "input_cost_per_image": "input_image",
    "output_cost_per_image": "output_image",
    "input_cost_per_pixel": "pixel",
    "ocr_cost_per_page": "page",
    "annotation_cost_per_page": "annotated_page",
    "input_cost_per_query": "query",
    "input_cost_per_request": "request",
    "ocr_cost_per_credit": "credit",
}
TIERS = {"priority": "priority", "flex": "flex", "ultrafast": "ultrafast",
         "batches": "batch"}
GUARDRAILS = {
    "contentPolicyUnits": "guardrail_content_unit",
    "contentPolicyImageUnits": "guardrail_content_image_unit",
    "topicPolicyUnits": "guardrail_topic_unit",
    "wordPolicyUnits": "guardrail_word_unit",
    "sensitiveInformationPolicyUnits": "guardrail_sensitive_unit",
    "sensitiveInformationPolicyFreeUnits": "guardrail_sensitive_free_unit",
    "contextualGroundingPolicyUnits": "guardrail_grounding_unit",
    "automatedReasoningPolicyUnits": "guardrail_reasoning_unit",
}
# Keys that hold a price in a form which a call's usage cannot tell: clip
# lengths, resolutions, Databricks units, or nothing but zeros.
ABSURD = Decimal("0.001")  # USD a token; the dearest real one is 0.0006
IGNORED = re.compile(
    r"above_\d+s_interval|_1080p$|_dbu_|_db_cost|output_cost_per_pixel"
    r"|batch_requests$|input_dbu|^(computer_use|file_search|vector_store)")


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file, parse_float=Decimal, parse_int=Decimal)


def text(number, per_million=False):
    """An exact decimal without exponent or trailing zeros."""
    value = Decimal(number) * (1000000 if per_million else 1)
    out = format(value.normalize(), "f")
    return out.rstrip("0").rstrip(".") if "." in out else out


def split_key(key):
    """(base key, tier, token bound) of one of LiteLLM's keys."""
    tier = ""
    match = re.search(r"_(priority|flex|ultrafast|batches)$", key)
    if match:
        tier = TIERS[match.group(1)]
        key = key[:match.start()]
    match = re.search(r"_above_(\d+)(k?)_tokens$", key)
    if not match:
        return key, tier, 0
    bound = int(match.group(1)) * (1000 if match.group(2) else 1)
    return key[:match.start()], tier, bound


def put(price, bound_name, bound, tier, group, name, value):
    place = price
    if bound:
        contexts = price.setdefault("contexts", [])
        for place in contexts:
            if place.get(bound_name) == bound:
                break
        else:
            place = {bound_name: bound}
            contexts.append(place)
    if tier:
        place = place.setdefault("tiers", {}).setdefault(tier, {})
    else:
        place = place.setdefault(group, {})
    place[name] = text(value, group == "rates")


def put_keys(price, row, bound_name, bound=0):
    """The flat keys of a row, or of a band of it."""
    unknown = set()
    for key, value in row.items():
        if not isinstance(value, Decimal) or isinstance(value, bool):
            continue
        base, tier, own_bound = split_key(key)
        name = "input_above" if bound_name == "results" else bound_name
        if base in TOKENS:
            put(price, name, own_bound or bound, tier, "rates", TOKENS[base],
                value)
        elif base in UNITS:
            put(price, "max_results_from" if bound_name == "results"
                and bound else name, own_bound or bound, "", "units",
                UNITS[base], value)
        elif "cost" in key and not IGNORED.search(key):
            unknown.add(key)
    return unknown


def multipliers(row):
    out = []
    for key, value in sorted(row.items()):
        match = re.fullmatch(r"regional_processing_uplift_multiplier_(\w+)",
                             key)
        if match:
            out.append({"region": match.group(1), "by": text(value)})
        elif key == "regional_endpoint_uplift_multiplier":
            out.append({"region_not": "global", "by": text(value)})
    for key, value in sorted(row.get("provider_specific_entry", {}).items()):
        if isinstance(value, Decimal):
            kind = "speed" if key == "fast" else "region"
            out.append({kind: key, "by": text(value)})
    return out


def convert(row):
    """A row of LiteLLM's as a price of ours; and the keys not understood."""
    price = {}
    bound_name = ("input_from" if row.get("litellm_provider") == "xai"
                  else "input_above")
    unknown = put_keys(price, row, bound_name)
    for i, band in enumerate(row.get("tiered_pricing", ())):
        if "range" in band:
            price["whole"] = True
            unknown |= put_keys(price, band, "input_above",
                                int(band["range"][0]) if i else 0)
        else:
            low = int(band["max_results_range"][0])
            unknown |= put_keys(price, band, "results", low if i else 0)
    for size, value in row.get("search_context_cost_per_query", {}).items():
        put(price, "", 0, "", "units",
            "web_search_" + size.rsplit("_", 1)[1], value)
    for unit, value in row.get("guardrail_cost_per_unit", {}).items():
        put(price, "", 0, "", "units", GUARDRAILS[unit], value)
    factors = multipliers(row)
    if factors:
        price["multiply"] = factors
    odd_keys(price, row)
    for key in ("input_cost_per_token_cache_hit",
                "cache_creation_input_audio_token_cost"):
        unknown.discard(key)
    return price, unknown


def odd_keys(price, row):
    """Keys that mean something else than their names."""
    rates = price.get("rates", {})
    units = price.get("units", {})
    for key, name in (("input_cost_per_token_cache_hit", "cache_read"),
                      ("cache_creation_input_audio_token_cost",
                       "cache_read_audio")):
        if key in row and name not in rates:
            rates[name] = text(row[key], True)
    if row.get("mode") in ("image_generation", "image_edit") \
            and "input_image" in units and "output_image" not in units:
        units["output_image"] = units["input_image"]
    if "output" not in rates and "output_image" in rates:
        rates["output"] = rates["output_image"]


def repaired(model, row, facts):
    row = dict(row)
    for field, value in facts["repairs"].get(model, {}).items():
        if field.startswith("move:"):
            row[value] = row.pop(field[5:])
        elif value is None:
            row.pop(field, None)
        else:
            row[field] = Decimal(value)
    for pattern, factor in facts["scale"].items():
        if re.fullmatch(pattern, model) \
                and row["input_cost_per_token"] > ABSURD:
            for key in ("input_cost_per_token", "output_cost_per_token"):
                row[key] = row[key] * Decimal(factor)
    return row


def scaled(price, factor, keep=()):
    """All token rates of a price times a factor."""
    out = json.loads(json.dumps(price))

    def walk(node, inside):
        for key, value in node.items():
            if isinstance(value, dict):
                walk(value, inside or key in ("rates", "tiers"))
            elif isinstance(value, list) and key == "contexts":
                for item in value:
                    walk(item, False)
            elif inside and key not in keep:
                node[key] = text(Decimal(value) * Decimal(factor))

    walk(out, False)
    return out


def dated(price, entry):
    """A price with what came before and comes after."""
    if "off_peak" in entry:
        price = dict(price, off_peak=entry["off_peak"])
    prices = []
    for old in entry.get("before", ()):
        old = dict(old)
        until = old.pop("until")
        if "scale" in old:
            body = scaled(price, old.pop("scale"))
        elif "long_context" in old:
            context = old.pop("long_context")
            body = {k: v for k, v in price.items() if k != "contexts"}
            above = {"input_above": context["input_above"], "rates": {}}
            for name, rate in price["rates"].items():
                factor = context["output" if name == "output" else "input"]
                above["rates"][name] = text(Decimal(rate) * Decimal(factor))
            body["contexts"] = [above]
        else:
            body = old
        prices.append((until, body))
    prices.append((None, price))
    out = []
    start = None
    for until, body in prices:
        out.append(dict({"from": start} if start else {}, **body))
        start = until
    for new in entry.get("after", ()):
        body = scaled(price, new["scale"]) if "scale" in new else \
            {k: v for k, v in new.items() if k != "from"}
        out.append(dict({"from": new["from"]}, **body))
    return {"prices": out} if len(out) > 1 else out[0]


def own_prefix(model, known):
    """Is the model another name of a known one, with its maker before it?"""
    first, _, rest = model.partition("/")
    return first in ("openai", "anthropic") and rest in known


def build(args, facts):
    base = load(args.litellm)
    retired = load(args.tokencost)
    models = {}
    unknown = set()
    for source, table, checked in (("litellm", base, args.checked[:10]),
                                   ("tokencost", retired, "2025-09-01")):
        for model, row in table.items():
            if model in models or not isinstance(row, dict) \
                    or model in facts["no_models"]:
                continue
            if source == "tokencost" and (
                    own_prefix(model, {**base, **retired})
                    or model in facts["no_retired"]):
                continue
            row = repaired(model, row, facts)
            if not row.get("litellm_provider"):
                print(f"no provider: {model}", file=sys.stderr)
                continue
            price, odd = convert(row)
            unknown |= odd
            entry = {"provider": row["litellm_provider"],
                     "mode": row.get("mode", "chat"), "source": source,
                     "checked": checked}
            date = row.get("deprecation_date", "")
            if re.fullmatch(r"\d{4}-\d\d-\d\d", str(date)):
                entry["retires"] = date
            for pattern, history in facts["history"].items():
                if re.fullmatch(pattern, model):
                    price = dated(price, history)
            entry.update(price)
            models[model] = entry
    for model, extra in facts["extra_units"].items():
        models[model].setdefault("units", {}).update(extra)
    models.update(facts["models"])
    for key in sorted(unknown):
        print(f"not understood: {key}", file=sys.stderr)
    return models


ORDER = {name: i for i, name in enumerate(
    ["provider", "mode", "source", "checked", "retires", "prices", "from",
     "whole", "region", "region_not", "speed", "by", "input_above",
     "input_from", "max_results_from", "zone", "windows", "days", "hours"]
    + list(TOKENS.values()) + ["rates", "units", "tiers", "priority", "flex",
                               "batch", "contexts", "multiply", "off_peak"])}


def ordered(node):
    """The same, with the members of objects in one order."""
    if isinstance(node, list):
        return [ordered(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: ordered(node[key])
            for key in sorted(node, key=lambda k: (ORDER.get(k, 999), k))}


def write(models, version, path):
    """One model a line, sorted: a changed price is a changed line."""
    lines = [f"{json.dumps(key, ensure_ascii=False)}: "
             f"{json.dumps(ordered(models[key]), ensure_ascii=False)}"
             for key in sorted(models)]
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"llmlab_prices": 1,\n"version": ' + json.dumps(version)
                   + ',\n"models": {\n' + ",\n".join(lines) + "\n}}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--litellm", required=True)
    parser.add_argument("--tokencost", required=True)
    parser.add_argument("--checked", required=True,
                        help="when the file was read: 2026-08-21T07:09:40Z")
    parser.add_argument("--out", default=OUT)
    args = parser.parse_args()
    with open(FACTS, encoding="utf-8") as file:
        facts = json.load(file)
    models = build(args, facts)
    write(models, args.checked, args.out)
    print(f"{len(models)} models")


if __name__ == "__main__":
    main()
