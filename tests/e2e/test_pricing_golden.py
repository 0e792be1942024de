#!/usr/bin/env python3
# llmlab-test: timeout=300
"""Price the vectors that others wrote, and random ones that an independent
reading of the rules prices, too."""
import json
import os
import subprocess
import sys

SOURCE = os.environ["LLMLAB_SOURCE_DIR"]
DATA = os.path.join(SOURCE, "../shared/data")
ORACLE = os.path.join(SOURCE, "tests/oracle/pricing_oracle.py")

if not os.path.isdir(os.path.join(DATA, "golden")):
    print("SKIP test_pricing_golden: ../shared/data is not here")
    sys.exit(77)


def golden(name, command, answers):
    """The vectors without their answers, and what llmlab says."""
    with open(f"{DATA}/golden/{name}", encoding="utf-8") as file:
        vectors = [json.loads(line) for line in file]
    lines = "".join(
        json.dumps({k: v for k, v in vector.items() if k not in answers}) + "\n"
        for vector in vectors)
    done = subprocess.run(["llmlab", command, "--jsonl"], input=lines,
                          stdout=subprocess.PIPE, text=True, timeout=60,
                          check=True)
    return zip(vectors, map(json.loads, done.stdout.splitlines()), strict=True)


wrong = 0
for name in ("costs.jsonl", "deviations.jsonl"):
    for want, got in golden(name, "cost", ("expected_usd", "expected_parts",
                                           "litellm_usd", "rules",
                                           "features")):
        if (got["id"] != want["id"] or got["cost_usd"] != want["expected_usd"]
                or want.get("expected_parts", got["parts"]) != got["parts"]):
            print(f"want {json.dumps(want)}\n got {json.dumps(got)}")
            wrong += 1
for want, got in golden("names.jsonl", "resolve", ("status", "key", "rule")):
    if (got["status"], got["key"]) != (want["status"], want["key"]):
        print(f"want {json.dumps(want)}\n got {json.dumps(got)}")
        wrong += 1
oracle = subprocess.run(
    [sys.executable, ORACLE, "compare", f"{DATA}/prices/litellm.json",
     "llmlab", "4000", "20260821"], timeout=200, check=False)
sys.exit(wrong != 0 or oracle.returncode != 0)
