#!/usr/bin/env python3
"""An independent reading of the price rules, to check the C engine against.

    pricing_oracle.py check PRICES COSTS.jsonl...
        price vectors and compare with the expected_usd that they state
    pricing_oracle.py compare PRICES LLMLAB COUNT SEED
        price random vectors here and with the llmlab command, and compare

Rates come straight from a public price file in LiteLLM's form; nothing is
shared with the library. docs/PRICING.md tells the rules.
"""
import datetime
import json
import os
import random
import re
import subprocess
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
    "ft:babbage-002": {"input_cost_per_token_batches": None,
                       "output_cost_per_token_batches": None},
    "ft:davinci-002": {"input_cost_per_token_batches": None,
                       "output_cost_per_token_batches": None},
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
    for row in table.values():
        # An older name of the same price.
        if isinstance(row, dict) and "input_cost_per_token_cache_hit" in row:
            row.setdefault("cache_read_input_token_cost",
                           row["input_cost_per_token_cache_hit"])
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
    if OUT not in row and "output_cost_per_image_token" in row:
        row = dict(row, **{OUT: row["output_cost_per_image_token"]})
    raw = (vector.get("service_tier") or "").lower()
    tier = "priority" if raw == "fast" else raw if raw in TIERS else ""
    batch = bool(vector.get("batch"))
    rates = Rates(row, usage, "" if batch else tier,
                  vector.get("provider"), vector.get("at"))
    half = Fraction(1)
    if batch:
        rates.above = 0
        rates.at = None
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
    elif rates.off_peak(OUT) is not None and rates.off_peak(name) is None:
        cost_out += reasoning * price(OUT)
    elif batch and f"{OUT}_batches" in row:
        cost_out += reasoning * price(OUT)
    else:
        cost_out += reasoning * price(name, OUT)
    for kind, count in zip(("audio", "image", "video"), media):
        cost_out += count * price(f"output_cost_per_{kind}_token", OUT)
    cost_in += usage.get("citation_tokens", 0) * number(
        row.get("citation_cost_per_token", 0)) * (
            Fraction(1, 2) if batch else 1)
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


PROVIDER_SEARCH = {"anthropic": "0.01", "xai": "0.005"}


def unit_parts(row, vector, usage):
    parts = {}

    def add(part, count, rate):
        if count:
            parts[part] = parts.get(part, 0) + Fraction(count) * number(rate)

    size = vector.get("search_context_size") or "medium"
    searches = row.get("search_context_cost_per_query", {})
    # A row without a price for searches takes the provider's.
    add("web_search", usage.get("web_search_requests", 0),
        searches.get(f"search_context_size_{size}", 0) if searches
        else PROVIDER_SEARCH.get(vector.get("provider"), 0))
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


class Generator:
    """Random calls, with a weight on the edges of every rule."""

    def __init__(self, table, seed):
        self.random = random.Random(seed)
        self.table = table
        self.models = sorted(
            m for m, row in table.items()
            if isinstance(row, dict) and row.get("litellm_provider")
            and m not in ("sample_spec",) and (IN in row or OUT in row
                                               or "tiered_pricing" in row))
        self.count = 0

    def tokens(self):
        kind = self.random.random()
        if kind < 0.05:
            return 0
        if kind < 0.1:
            return self.random.choice((1, 10 ** 6, 10 ** 9, 10 ** 12))
        return int(10 ** self.random.uniform(0, 6))

    def limits(self, row):
        found = [int(m.group(1)) * 1000 for key in row for m in
                 [re.search(r"_above_(\d+)k_tokens", key)] if m]
        for band in row.get("tiered_pricing", ()):
            found += [int(x) for x in band.get("range", ())]
        return sorted(set(found))

    def usage(self, row):
        pick = self.random.random
        total = self.tokens()
        limits = self.limits(row)
        if limits and pick() < 0.7:
            total = self.random.choice(limits) + self.random.choice(
                (-1, 0, 0, 1, 1, 5000))
        total = max(0, total)
        usage = {"input_tokens": total, "output_tokens": self.tokens()}
        scale = 1.5 if pick() < 0.15 else 0.6
        part = lambda: int(total * self.random.uniform(0, scale))
        if pick() < 0.5:
            usage["cache_read_tokens"] = part()
        if pick() < 0.2:
            usage["cache_write_tokens"] = part()
        elif pick() < 0.25:
            usage["cache_write_5m_tokens"] = part()
            usage["cache_write_1h_tokens"] = part()
        for kind in ("audio", "image", "video"):
            if pick() < 0.15:
                usage[f"input_{kind}_tokens"] = part()
            if pick() < 0.1:
                usage[f"output_{kind}_tokens"] = int(
                    usage["output_tokens"] * self.random.uniform(0, scale))
        if pick() < 0.25:
            usage["reasoning_tokens"] = int(
                usage["output_tokens"] * self.random.uniform(0, scale))
        if "citation_cost_per_token" in row and pick() < 0.5:
            usage["citation_tokens"] = self.tokens()
        if "search_context_cost_per_query" in row and pick() < 0.3:
            usage["web_search_requests"] = self.random.randint(0, 30)
        return usage

    def off_peak(self, row):
        """An inline row, with windows, from a plain one."""
        pick = self.random.choice
        spans = ["16:30-00:30", "04:00-06:00", "10:00-01:00", "00:00-00:00",
                 "23:59-00:00", "12:00-12:01"]
        block = {k: str(Decimal(row[k]) / 2) for k in (IN, OUT, READ)
                 if k in row and self.random.random() < 0.8}
        if self.random.random() < 0.5:
            block["hours_utc"] = pick([spans[0], self.random.sample(spans, 2)])
        else:
            block["weekday_timezone"] = pick(list(ZONES))
            block["windows"] = [
                {"weekdays": self.random.sample(DAYS, 4),
                 "hours_utc": self.random.sample(spans, 2)},
                {"weekdays": ["sat", "sun"], "hours_utc": ["00:00-00:00"]}]
        inline = {k: str(v) for k, v in row.items() if isinstance(v, Decimal)}
        inline["off_peak_pricing"] = block
        for key in ("search_context_cost_per_query", "mode"):
            if key in row:
                inline[key] = row[key]
        return inline

    def vector(self):
        pick = self.random.random
        model = self.random.choice(self.models)
        if pick() < 0.4:
            model = self.random.choice(
                [m for m in self.models if self.limits(self.table[m])])
        row = self.table[model]
        self.count += 1
        vector = {"id": self.count, "table": "litellm", "model": model,
                  "provider": row["litellm_provider"],
                  "usage": self.usage(row)}
        if pick() < 0.3:
            vector["service_tier"] = self.random.choice(
                ("priority", "flex", "fast", "Priority", "FLEX", "auto",
                 "default", "standard", "scale", "batch", "ultrafast"))
        if pick() < 0.12:
            vector["batch"] = True
        if "regional_processing_uplift_multiplier_eu" in row and pick() < .5:
            vector["data_residency"] = self.random.choice(
                ("eu", "us", "EU", "jp"))
        if "regional_endpoint_uplift_multiplier" in row and pick() < .5:
            vector["vertex_location"] = self.random.choice(
                ("global", "Global", "us-east5", "europe-west1"))
        if "provider_specific_entry" in row:
            if pick() < 0.5:
                vector["inference_geo"] = self.random.choice(
                    ("us", "US", "global", "not_available"))
            if pick() < 0.5:
                vector["speed"] = self.random.choice(
                    ("fast", "FAST", "standard"))
        if "web_search_requests" in vector["usage"] and pick() < 0.6:
            vector["search_context_size"] = self.random.choice(
                ("low", "medium", "high"))
        if pick() < 0.06 and "tiered_pricing" not in row:
            vector["pricing"] = self.off_peak(row)
            vector["model"] = f"inline/{model}"
            vector["at_utc"] = (
                datetime.datetime(2026, 8, 17)
                + datetime.timedelta(seconds=self.random.choice(
                    (self.random.randrange(14 * 86400),
                     self.random.randrange(14 * 24) * 3600)))
            ).strftime("%Y-%m-%dT%H:%M:%SZ")
        return vector


def units(table):
    """A vector for each unit price of each model."""
    fields = {
        "search_context_cost_per_query": "web_search_requests",
        "code_interpreter_cost_per_session": "code_interpreter_sessions",
        "input_cost_per_character": "input_characters",
        "input_cost_per_second": "audio_seconds",
        "output_cost_per_second": "audio_seconds",
        "output_cost_per_video_per_second": "output_video_seconds",
        "input_cost_per_image": "input_images",
        "output_cost_per_image": "output_images",
        "input_cost_per_pixel": "image_pixels",
        "ocr_cost_per_page": "pages",
        "annotation_cost_per_page": "annotated_pages",
        "input_cost_per_query": "queries",
        "input_cost_per_request": "requests",
        "ocr_cost_per_credit": "credits",
    }
    for model, row in sorted(table.items()):
        if not isinstance(row, dict) or "litellm_provider" not in row \
                or model == "sample_spec":
            continue
        for key, field in fields.items():
            if row.get("mode") == "video_generation" \
                    and key == "output_cost_per_second":
                field = "output_video_seconds"
            if key in row:
                yield model, row, {field: 7}
        for band in row.get("tiered_pricing", ()):
            for bound in band.get("max_results_range", ()):
                yield model, row, {"queries": 3, "max_results": int(bound)}


def run_llmlab(llmlab, vectors):
    lines = "".join(json.dumps({k: v for k, v in vector.items() if k != "at"},
                               default=float) + "\n" for vector in vectors)
    done = subprocess.run([llmlab, "cost", "--jsonl"], input=lines,
                          stdout=subprocess.PIPE, text=True, check=False)
    return {row["id"]: row for row in map(json.loads,
                                          done.stdout.splitlines())}


def compare(table, llmlab, count, seed):
    generator = Generator(table, seed)
    vectors = [generator.vector() for _ in range(count)]
    for model, row, usage in units(table):
        generator.count += 1
        vectors.append({"id": generator.count, "table": "litellm",
                        "model": model, "provider": row["litellm_provider"],
                        "usage": usage})
    found = run_llmlab(llmlab, vectors)
    wrong = unpriced = 0
    for vector in vectors:
        amount, parts = price(table, dict(vector))
        got = found.get(vector["id"], {})
        if got.get("cost_usd") is None:
            unpriced += 1
            if os.environ.get("SHOW_UNPRICED"):
                print("unpriced", json.dumps(vector, default=str))
            continue
        if got["cost_usd"] != text(amount):
            wrong += 1
            if wrong <= 20:
                print(json.dumps(vector, default=str), got,
                      {k: text(v) for k, v in parts.items()})
    print(f"{len(vectors)} vectors, {wrong} differ, {unpriced} unpriced")
    return wrong != 0


def main(args):
    if args[0] == "check":
        return check(load_prices(args[1]), args[2:])
    return compare(load_prices(args[1]), args[2], int(args[3]), int(args[4]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
