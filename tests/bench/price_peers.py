#!/usr/bin/env python3
"""price_peers.py BUILD_DIR: one call priced by LiteLLM's and genai-prices' own
functions, from PyPI, and by this library, in one run. Prints rows as the
benches do; without PyPI a line on standard error that names the skip."""

import json
import pathlib
import subprocess
import sys

PACKAGES = ["litellm", "genai-prices"]

# Run by the environment's own Python. The minimum of several rounds.
TIMED = r"""
import json, os, time
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # no network
import litellm
import genai_prices
from genai_prices import Usage, calc_price

USAGE = Usage(input_tokens=1200, cache_read_tokens=1024, output_tokens=80)

def by_litellm():
    return sum(litellm.cost_per_token(
        model="gpt-4o-mini", custom_llm_provider="openai",
        prompt_tokens=1200, completion_tokens=80,
        cache_read_input_tokens=1024))

def by_genai():
    return calc_price(USAGE, model_ref="gpt-4o-mini",
                      provider_id="openai").total_price

def best(function):
    times = []
    for _ in range(7):
        start = time.perf_counter_ns()
        for _ in range(200):
            function()
        times.append((time.perf_counter_ns() - start) / 200)
    return min(times)

from importlib.metadata import version
print(json.dumps({
    "LiteLLM " + version("litellm"): [best(by_litellm), str(by_litellm())],
    "genai-prices " + version("genai-prices"): [best(by_genai),
                                                str(by_genai())]}))
"""


def python_with_peers(build):
    """The Python of an environment that has both; None: PyPI is not there."""
    folder = build / "peers-venv"
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        made = subprocess.run([sys.executable, "-m", "venv", str(folder)],
                              capture_output=True, check=False)
        if made.returncode != 0:
            return None
        try:
            got = subprocess.run(
                [str(python), "-m", "pip", "install", "--quiet",
                 "--disable-pip-version-check", "--retries", "1", *PACKAGES],
                capture_output=True, check=False, timeout=300)
        except subprocess.TimeoutExpired:
            return None
        if got.returncode != 0:
            return None
        ready.touch()
    return python


def ours(build):
    done = subprocess.run([str(build / "bench" / "bench_price"), "--json"],
                          stdout=subprocess.PIPE, text=True, check=False)
    for line in done.stdout.splitlines():
        row = json.loads(line) if line.startswith("{") else {}
        if row.get("what") == "lookup and cost, plain: min":
            return row["value"]
    raise SystemExit("bench_price gives no figure")


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    python = python_with_peers(build)
    if python is None:
        print("SKIP price_peers: PyPI is not reachable", file=sys.stderr)
        return 0
    timed = subprocess.run([str(python), "-c", TIMED], stdout=subprocess.PIPE,
                           text=True, check=False)
    if timed.returncode != 0:
        print("FAILED price_peers: the peers do not run", file=sys.stderr)
        return 1
    mine = ours(build)
    for name, (theirs, _) in json.loads(
            timed.stdout.splitlines()[-1]).items():
        ratio = theirs / mine
        print(json.dumps({"bench": "price_peers", "what": f"{name}, plain: min",
                          "value": theirs, "unit": "ns", "pass": True}))
        print(json.dumps({"bench": "price_peers",
                          "what": f"{name} / ours", "value": ratio,
                          "unit": "times", "at_least": 100,
                          "pass": ratio >= 100}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
