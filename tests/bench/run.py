#!/usr/bin/env python3
"""run.py BUILD_DIR: run the benches of a release build, print one table with
bars and marks, and write BUILD_DIR/bench/results.json.

  --only NAME   benches whose name holds NAME
  --json        print the results as JSON
  --compare     count instructions with callgrind instead, against
                tests/bench/instructions.json: no noise, slower
  --save        with --compare: make today's counts the ones to compare with

Exit status: 0; 1 when a bench failed or dropped something; 2 when a bar was
missed (--compare: when a path takes over 3 % more instructions)."""

import argparse
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
COUNTS = HERE / "instructions.json"
TOLERANCE = 1.03

# What --compare counts: bench, its hot function, calls of it a run.
HOT = [
    ("bench_span", "eight_attributes", 1000),
    ("bench_span", "one_shot_call", 1000),
    ("bench_reply", "answer", 200),
    ("bench_price", "llmlab_cost_compute", 5000),
    ("bench_stream", "llmlab_usage_stream_feed", None),
    ("bench_bind", "flat_attributes", 1000),
    ("bench_spool", "into_plain_memory", 1000),
    ("bench_spool", "into_a_mapped_ring", 1000),
]


def say(text=""):
    print(text, file=sys.stderr, flush=True)


def machine():
    model = platform.processor() or platform.machine()
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
        model = re.search(r"model name\s*:\s*(.*)", text).group(1)
    except (OSError, AttributeError):
        pass
    return f"{os.cpu_count()} vCPU {model}, {platform.release()}"


def benches(build, only):
    found = sorted(build.glob("bench/bench_*"))
    found = [p for p in found if os.access(p, os.X_OK) and p.is_file()]
    found += [HERE / "price_peers.py", *sorted(HERE.glob("bindings_*.py"))]
    return [p for p in found if only in p.name]


def run_one(program, build):
    command = ([sys.executable, program, build] if program.suffix == ".py"
               else [program, "--json"])
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True,
                          check=False)
    rows = []
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            rows.append(json.loads(line))
    return rows, done.returncode


def bar_of(row):
    if "at_most" in row:
        return f"<= {row['at_most']:g}"
    if "at_least" in row:
        return f">= {row['at_least']:g}"
    return ""


def figure(value):
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def print_table(rows):
    width = max([len(row["what"]) for row in rows] + [4])
    name = None
    for row in rows:
        if row["bench"] != name:
            name = row["bench"]
            print(f"\n{name}")
        bar = bar_of(row)
        mark = "" if not bar else ("ok" if row["pass"] else "MISSED")
        print(f"  {row['what']:<{width}} {figure(row['value']):>10} "
              f"{row['unit']:<8} {bar:<10} {mark}".rstrip())


def measure(build, options):
    rows, failed = [], []
    for program in benches(build, options.only):
        say(f"==> {program.name}")
        found, status = run_one(program, build)
        rows += found
        if status not in (0, 2):
            failed.append(program.name)
            say(f"    FAILED: {program.name} answers {status}")
    results = {"machine": machine(), "rows": rows, "failed": failed}
    (build / "bench" / "results.json").write_text(json.dumps(results, indent=1))
    if options.json:
        print(json.dumps(results))
    elif rows:
        print(machine())
        print_table(rows)
    missed = [row for row in rows if not row["pass"]]
    say(f"\n{len(rows)} figures, {len(missed)} bars missed, "
        f"{len(failed)} benches failed")
    return 1 if failed or not rows else 2 if missed else 0


def instructions(program, function, calls):
    """Instructions of one call of function, all that it calls included."""
    with tempfile.NamedTemporaryFile() as out:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--collect-atstart=no",
             f"--toggle-collect={function}", f"--callgrind-out-file={out.name}",
             program, "--count"], capture_output=True, text=True, check=False)
        total = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode not in (0, 2) or not total or total.group(1) == "0":
        say(done.stderr[-2000:])
        return None
    return int(total.group(1)) / (calls or 1)


def compare(build, options):
    before = json.loads(COUNTS.read_text()) if COUNTS.exists() else {}
    now, worse, failed = {}, [], []
    for bench, function, calls in HOT:
        program = build / "bench" / bench
        if options.only not in bench or not program.exists():
            continue
        count = instructions(program, function, calls)
        name = f"{bench.removeprefix('bench_')}: {function}"
        if count is None:
            failed.append(name)
            continue
        now[name] = round(count, 1)
        old = before.get(name)
        change = "" if not old else f"{100 * (count / old - 1):+.1f} %"
        if old and count > old * TOLERANCE:
            worse.append(name)
        print(f"{name:<44} {count:>12.0f} instructions  {change}", flush=True)
    if options.save:
        COUNTS.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n")
    say(f"{len(now)} paths, {len(worse)} worse, {len(failed)} failed"
        + "".join(f"\n  worse: {name}" for name in worse)
        + "".join(f"\n  failed: {name}" for name in failed))
    return 1 if failed or not now else 2 if worse else 0


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    build = options.build.resolve()
    # No bench uses the user's own spool.
    os.environ["LLMLAB_SPOOL_MODE"] = "off"
    if options.compare:
        return compare(build, options)
    return measure(build, options)


if __name__ == "__main__":
    sys.exit(main())
