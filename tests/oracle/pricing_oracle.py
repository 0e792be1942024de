#!/usr/bin/env python3
"""An independent reading of the price rules, to check the C engine against.

    pricing_oracle.py check COSTS.jsonl...   price vectors, compare with the
                                             expected_usd that they state
    pricing_oracle.py fuzz PRICES N SEED     write N random vectors, priced

Rates come straight from a public price file in LiteLLM's form; nothing is
shared with the library. docs/PRICING.md tells the rules.
"""
import datetime
import json
import os
import random
import re
import sys
from decimal import ROUND_HALF_EVEN, Decimal, getcontext
from fractions import Fraction

getcontext().prec = 80
FEMTO = Decimal("1e-15")
TIERS = ("priority", "flex", "ultrafast")
ZONES = {"UTC": 0, "Asia/Shanghai": 8}
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
REPAIRS = {  # what the comparison of the sources found wrong in the table
    "gpt-5-nano": {"input_cost_per_token_priority": None},
    "gpt-5-nano-2025-08-07": {"input_cost_per_token_priority": None},
    "ft:babbage-002": {"input_cost_per_token_batches": None},
    "ft:davinci-002": {"input_cost_per_token_batches": None},
}


def load_prices(path):
    with open(path, encoding="utf-8") as file:
        table = json.load(file, parse_float=Decimal, parse_int=Decimal)
    for model, fields in REPAIRS.items():
        for field in fields:
            table[model].pop(field, None)
    for model in ("azure/eu/gpt-4o-2024-11-20", "azure/us/gpt-4o-2024-11-20",
                  "ft:gpt-4o-2024-11-20"):
        row = table[model]
        row["cache_read_input_token_cost"] = row.pop(
            "cache_creation_input_token_cost")
    suspects = os.path.join(os.path.dirname(path), "suspects.json")
    with open(suspects, encoding="utf-8") as file:
        for suspect in json.load(file, parse_float=Decimal):
            value = suspect["suspected"]
            if value and re.fullmatch(r"[0-9.E-]+", str(value)):
                table[suspect["model"]][suspect["field"]] = Decimal(value)
    return table


def number(value):
    """A rate as the table compiler keeps it: whole femto-USD, half-even."""
    value = Decimal(value).quantize(FEMTO, rounding=ROUND_HALF_EVEN)
    return Fraction(value)


class Rates:
    """The rates of one row for one request."""

    def __init__(self, row, usage, tier, provider, at):
        self.row = row
        self.tier = tier
        self.at = at
        self.provider = provider
        self.input_tokens = usage.get("input_tokens", 0)
        self.above = self.context()
        self.band = self.find_band()

    def context(self):
        found = 0
        for key in self.row:
            match = re.fullmatch(r"input_cost_per_token_above_(\d+)k_tokens",
                                 key)
            if match:
                limit = int(match.group(1)) * 1000
                over = (self.input_tokens >= limit if self.provider == "xai"
                        else self.input_tokens > limit)
                if over and limit > found:
                    found = limit
        return found

    def find_band(self):
        bands = [b for b in self.row.get("tiered_pricing", ())
                 if "range" in b]
        for band in bands:
            if self.input_tokens <= band["range"][1]:
                return band
        return bands[-1] if bands else None

    def explicit(self, name):
        """(rate, how specific its key was) or (None, 0)."""
        if self.band is not None:
            if name in self.band:
                return number(self.band[name]), 4
            return None, 0
        keys = []
        if self.above:
            base = f"{name}_above_{self.above // 1000}k_tokens"
            keys += [(f"{base}_{self.tier}", 3)] if self.tier else []
            keys += [(base, 2)]
        keys += [(f"{name}_{self.tier}", 1)] if self.tier else []
        keys += [(name, 0)]
        for key, rank in keys:
            if key in self.row:
                return number(self.row[key]), rank
        return None, 0

    def off_peak(self, name):
        block = self.row.get("off_peak_pricing")
        if not block or name not in block or not in_window(block, self.at):
            return None
        return number(block[name])

    def rate(self, name, *fallbacks):
        """The rate of the first name that has one."""
        for candidate in (name,) + fallbacks:
            value = self.off_peak(candidate)
            if value is None:
                value = self.explicit(candidate)[0]
            if value is not None:
                return value
        return Fraction(0)


def minutes(text):
    hours, mins = text.split(":")
    return int(hours) * 60 + int(mins)


def in_hours(spans, at):
    now = at.hour * 60 + at.minute
    for span in [spans] if isinstance(spans, str) else spans:
        start, end = (minutes(part) for part in span.split("-"))
        if start == end or (start < end and start <= now < end) or (
                start > end and (now >= start or now < end)):
            return True
    return False


def in_window(block, at):
    if at is None:
        return False
    if "windows" not in block:
        return in_hours(block["hours_utc"], at)
    offset = ZONES[block.get("weekday_timezone", "UTC")]
    day = DAYS[(at + datetime.timedelta(hours=offset)).weekday()]
    return any(day in window["weekdays"] and in_hours(window["hours_utc"], at)
               for window in block["windows"])


IN, OUT = "input_cost_per_token", "output_cost_per_token"
READ, WRITE = "cache_read_input_token_cost", "cache_creation_input_token_cost"
WRITE_1H = WRITE + "_above_1hr"


def split_input(usage):
    """Disjoint counts of the input's classes (R2)."""
    total = usage.get("input_tokens", 0)
    read = usage.get("cache_read_tokens", 0)
    write = usage.get("cache_write_tokens", 0)
    hour = 0
    if "cache_write_5m_tokens" in usage or "cache_write_1h_tokens" in usage:
        hour = usage.get("cache_write_1h_tokens", 0)
        write = usage.get("cache_write_5m_tokens", 0)
    media = [usage.get(f"input_{kind}_tokens", 0)
             for kind in ("audio", "image", "video")]
    cached = read + write + hour
    text = max(0, total - cached - sum(media))
    if cached > 0 and cached + sum(media) > total:
        budget = max(0, total - cached)
        for i, count in enumerate(media):
            media[i] = min(count, budget)
            budget -= media[i]
        text = budget
    return text, read, write, hour, media


def token_parts(row, vector, usage):
    raw = (vector.get("service_tier") or "").lower()
    tier = "priority" if raw == "fast" else raw if raw in TIERS else ""
    batch = bool(vector.get("batch"))
    rates = Rates(row, usage, "" if batch else tier,
                  vector.get("provider"), vector.get("at"))
    half = Fraction(1)
    if batch:
        rates.above = 0
        half = Fraction(1, 2)

    def price(name, *fallbacks):
        if batch:
            for candidate in (name,) + fallbacks:
                if candidate + "_batches" in row:
                    return number(row[candidate + "_batches"])
                value = rates.explicit(candidate)[0]
                if value is not None:
                    return value * half
            return Fraction(0)
        return rates.rate(name, *fallbacks)

    text, read, write, hour, media = split_input(usage)
    cost_in = (text * price(IN) + read * price(READ, IN)
               + write * price(WRITE, IN) + hour * price(WRITE_1H, WRITE, IN))
    for kind, count in zip(("audio", "image"), media):
        cost_in += count * price(f"input_cost_per_{kind}_token", IN)
    cost_in += media[2] * price(IN)

    total = usage.get("output_tokens", 0)
    reasoning = usage.get("reasoning_tokens", 0)
    media = [usage.get(f"output_{kind}_tokens", 0)
             for kind in ("audio", "image", "video")]
    text = max(0, total - reasoning - sum(media))
    cost_out = text * price(OUT)
    name = "output_cost_per_reasoning_token"
    if not batch and tier and f"{name}_{tier}" not in row \
            and f"{OUT}_{tier}" in row:
        cost_out += reasoning * price(OUT)
    elif batch and f"{OUT}_batches" in row:
        cost_out += reasoning * price(OUT)
    else:
        cost_out += reasoning * price(name, OUT)
    for kind, count in zip(("audio", "image", "video"), media):
        cost_out += count * price(f"output_cost_per_{kind}_token", OUT)
    cost_in += usage.get("citation_tokens", 0) * number(
        row.get("citation_cost_per_token", 0))
    uplift = Fraction(1)
    region = (vector.get("data_residency") or "").lower()
    key = f"regional_processing_uplift_multiplier_{region}"
    uplift *= Fraction(row.get(key, 1)) if region else 1
    place = (vector.get("vertex_location") or "global").lower()
    if place != "global":
        uplift *= Fraction(row.get("regional_endpoint_uplift_multiplier", 1))
    special = row.get("provider_specific_entry", {})
    for field in ("inference_geo", "speed"):
        factor = special.get((vector.get(field) or "").lower(), 1)
        uplift *= Fraction(factor)
    return cost_in * uplift, cost_out * uplift


def unit_parts(row, vector, usage):
    parts = {}

    def add(part, count, rate):
        if count:
            parts[part] = parts.get(part, 0) + Fraction(count) * number(rate)

    size = vector.get("search_context_size") or "medium"
    searches = row.get("search_context_cost_per_query", {})
    add("web_search", usage.get("web_search_requests", 0),
        searches.get(f"search_context_size_{size}", 0))
    add("code_interpreter", usage.get("code_interpreter_sessions", 0),
        row.get("code_interpreter_cost_per_session", 0))
    add("characters", usage.get("input_characters", 0),
        row.get("input_cost_per_character", 0))
    add("audio_seconds", usage.get("audio_seconds", 0),
        row.get("output_cost_per_second") or row.get("input_cost_per_second")
        or row.get("input_cost_per_audio_per_second", 0))
    add("video_seconds", usage.get("output_video_seconds", 0),
        row.get("output_cost_per_video_per_second")
        or row.get("output_cost_per_second", 0))
    add("images", usage.get("input_images", 0),
        row.get("input_cost_per_image", 0))
    add("images", usage.get("output_images", 0),
        row.get("output_cost_per_image", 0))
    add("pixels", usage.get("image_pixels", 0),
        row.get("input_cost_per_pixel", 0))
    add("pages", usage.get("pages", 0), row.get("ocr_cost_per_page", 0))
    add("pages", usage.get("annotated_pages", 0),
        row.get("annotation_cost_per_page", 0))
    rate = row.get("input_cost_per_query", 0)
    for band in row.get("tiered_pricing", ()):
        if "max_results_range" in band:
            rate = band["input_cost_per_query"]
            if usage.get("max_results", 0) <= band["max_results_range"][1]:
                break
    add("queries", usage.get("queries", 0), rate)
    add("requests", usage.get("requests", 0),
        row.get("input_cost_per_request", 0))
    add("credits", usage.get("credits", 0), row.get("ocr_cost_per_credit", 0))
    for unit, count in (usage.get("guardrail_units") or {}).items():
        add("guardrails", count, row["guardrail_cost_per_unit"][unit])
    return parts


def price(table, vector):
    row = vector.get("pricing") or table[vector["model"]]
    usage = vector["usage"]
    if vector.get("at_utc"):
        vector["at"] = datetime.datetime.fromisoformat(
            vector["at_utc"].replace("Z", "+00:00"))
    parts = unit_parts(row, vector, usage)
    if "input_tokens" in usage or "output_tokens" in usage:
        parts["input"], parts["output"] = token_parts(row, vector, usage)
    return sum(parts.values(), Fraction(0)), parts


def text(amount):
    value = (Decimal(amount.numerator) / Decimal(amount.denominator))
    value = value.quantize(FEMTO, rounding=ROUND_HALF_EVEN)
    if value == 0:
        return "0"
    out = format(value.normalize(), "f")
    return out.rstrip("0").rstrip(".") if "." in out else out


def check(table, paths):
    wrong = total = 0
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for line in file:
                vector = json.loads(line)
                amount, parts = price(table, vector)
                total += 1
                got = {k: text(v) for k, v in parts.items()}
                if (text(amount) != vector["expected_usd"]
                        or vector.get("expected_parts", got) != got):
                    wrong += 1
                    print(vector["id"], vector["model"], text(amount),
                          vector["expected_usd"], got,
                          vector.get("expected_parts"))
    print(f"{total - wrong} of {total} equal")
    return wrong != 0


if __name__ == "__main__":
    PRICES = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "../../../shared/data/prices/litellm.json")
    if sys.argv[1] == "check":
        sys.exit(check(load_prices(PRICES), sys.argv[2:]))
