#!/usr/bin/env python3
"""Charges that providers state, against those that the price table computes.

    stated_charges.py LLMLAB SHARED_DATA

Prints a line per provider and every row that differs, and fails where fewer
rows agree, or more differ, than docs/USAGE.md tells.

A row that the table cannot price is told apart from one that it prices wrong:
a model without a row; something used that has no rate ("estimated_rate"); and
an OpenRouter reply that names a host of the model other than its maker, which
charges its own price, while the table has one price for each model.
"""
import collections
import csv
import json
import pathlib
import re
import subprocess
import sys
from decimal import Decimal

# How many of the rows that the table prices agree, and of how many.
TOLD = {"openrouter": (20, 20), "perplexity": (16, 16),
        "vercel_gateway": (24, 24), "xai": (55, 56)}

# Who serves a maker's models at the maker's own prices.
MAKERS = {"anthropic": ("Anthropic", "Amazon Bedrock", "Google"),
          "google": ("Google", "Google AI Studio"), "openai": ("OpenAI",),
          "x-ai": ("xAI",)}

# Perplexity rounds each of its parts, of which two count tokens.
ROUNDED = {"perplexity": Decimal("0.00001")}
FEMTO = Decimal("1e-15")


def replies(llmlab, data):
    folder = data / "responses"
    with open(folder / "index.jsonl", encoding="utf-8") as index:
        run = subprocess.run(
            [llmlab, "usage", "--jsonl", "--root", str(folder)],
            stdin=index, stdout=subprocess.PIPE, text=True, check=True)
    return {answer["id"]: answer
            for answer in map(json.loads, run.stdout.splitlines())}


def other_host(row, answer, folder):
    """The host that an OpenRouter reply names, unless it is the maker's."""
    if row["provider"] != "openrouter":
        return None
    body = (folder / row["response_file"]).read_text(encoding="utf-8")
    host = re.search(r'"provider":\s*"([^"]+)"', body)
    maker = MAKERS.get(answer["model"].split("/")[0], ())
    return host.group(1) if host and host.group(1) not in maker else None


def agrees(row, answer):
    """With a key of one's own the row has OpenRouter's fee only; what the
    call cost is the upstream's charge."""
    stated = Decimal(row["cost_usd"])
    if row["is_byok"] == "True":
        stated = Decimal(answer["provider_cost_usd"])
    difference = abs(Decimal(answer["cost_usd"]) - stated)
    # A charge finer than a femto-USD was rounded when it was read.
    return difference <= ROUNDED.get(row["provider"], FEMTO / 2)


def main():
    llmlab, data = sys.argv[1], pathlib.Path(sys.argv[2])
    answers = replies(llmlab, data)
    counts = collections.defaultdict(collections.Counter)
    with open(data / "oracles" / "provider_billed_cost.csv",
              encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["id"] in answers]
    for row in rows:
        answer = answers[row["id"]]
        count = counts[row["provider"]]
        if answer["provider_cost_usd"] is None:
            count["no charge"] += 1
            continue
        if answer["cost_usd"] is None:
            count["no price"] += 1
            continue
        host = other_host(row, answer, data / "responses")
        if agrees(row, answer):
            count["other host, equal" if host else "equal"] += 1
            continue
        if host is not None:
            count["other host"] += 1
            why = f"served by {host}"
        elif answer["pricing"] == "estimated_rate":
            count["no rate"] += 1
            why = "something used has no rate"
        else:
            count["differs"] += 1
            why = "differs"
        print(f"{row['id']} {row['provider']} {answer['model']}: stated "
              f"{answer['provider_cost_usd']}, computed {answer['cost_usd']}: "
              f"{why}")
    print(f"{'provider':16}{'equal':>8}{'of':>8}{'other host':>12}"
          f"{'no rate':>9}{'no price':>10}{'no charge':>11}")
    short = 0
    for provider, count in sorted(counts.items()):
        priced = count["equal"] + count["differs"]
        print(f"{provider:16}{count['equal']:8}{priced:8}"
              f"{count['other host']:12}{count['no rate']:9}"
              f"{count['no price']:10}{count['no charge']:11}")
        told, of = TOLD.get(provider, (0, 0))
        if count["equal"] < told or priced - count["equal"] > of - told:
            print(f"{provider}: {told} of {of} should be equal")
            short += 1
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
