#!/usr/bin/env python3
"""Price and resolve our own vectors: one for each rule and correction, on a
price book of made-up models."""
import json
import os
import subprocess
import sys

DIR = os.path.join(os.environ["LLMLAB_SOURCE_DIR"], "tests/fixtures/pricing")
ANSWERS = ("why", "expected_usd", "expected_parts", "expected_pricing",
           "expected_status", "expected_key")


def run(command, vectors):
    lines = "".join(
        json.dumps({k: v for k, v in vector.items() if k not in ANSWERS}) + "\n"
        for vector in vectors)
    done = subprocess.run(
        ["llmlab", command, "--jsonl", "--prices", f"{DIR}/book.json"],
        input=lines, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def load(name):
    with open(os.path.join(DIR, name), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def differences():
    costs = load("costs.jsonl")
    for want, got in zip(costs, run("cost", costs), strict=True):
        if (got["id"] != want["id"] or got["cost_usd"] != want["expected_usd"]
                or got["pricing"] != want["expected_pricing"]
                or want.get("expected_parts", got["parts"]) != got["parts"]):
            yield want, got
    names = load("names.jsonl")
    for want, got in zip(names, run("resolve", names), strict=True):
        if (got["status"] != want["expected_status"]
                or got["key"] != want["expected_key"]):
            yield want, got


found = list(differences())
for want, got in found:
    print(f"want {json.dumps(want)}\n got {json.dumps(got)}")
sys.exit(bool(found))
