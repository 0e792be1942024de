#!/usr/bin/env python3
"""Charges that providers state, against those that the price table computes.

    stated_charges.py LLMLAB SHARED_DATA

Prints a line per provider and every row that differs, and fails where fewer
rows agree than docs/USAGE.md tells.
"""
import collections
import csv
import json
import pathlib
import subprocess
import sys
from decimal import Decimal

# How many of the rows that the table prices agree.
TOLD = {"openrouter": 20, "perplexity": 16, "vercel_gateway": 24, "xai": 55}

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
        elif answer["cost_usd"] is None:
            count["no price"] += 1
        elif agrees(row, answer):
            count["equal"] += 1
        else:
            count["differs"] += 1
            print(f"{row['id']} {row['provider']} {answer['model']}: stated "
                  f"{answer['provider_cost_usd']}, computed "
                  f"{answer['cost_usd']}")
    print(f"{'provider':16}{'equal':>8}{'of':>8}{'no price':>10}"
          f"{'no charge':>11}")
    short = 0
    for provider, count in sorted(counts.items()):
        priced = count["equal"] + count["differs"]
        print(f"{provider:16}{count['equal']:8}{priced:8}"
              f"{count['no price']:10}{count['no charge']:11}")
        if count["equal"] < TOLD.get(provider, 0):
            print(f"{provider}: {TOLD[provider]} should be equal")
            short += 1
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
