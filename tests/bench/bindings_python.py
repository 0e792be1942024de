#!/usr/bin/env python3
"""bindings_python.py BUILD_DIR: what the Python package costs the program it
is in, beside opentelemetry-sdk, langfuse and openllmetry's instrumentation of
openai, from PyPI, pinned, in one run. Prints rows as the benches do; without
PyPI a line on standard error that names the skip."""

import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent / "python"
PACKAGE = HERE.parents[2] / "bindings" / "python"
TURNS = 3  # of each, one after the other: a busy moment hits all alike
FAILED = []


def environment(build):
    """The Python of a venv that has the peers and our package as it is now;
    None: PyPI is not there."""
    folder = build / "bindings-venv"
    python = folder / "bin" / "python"
    pins = (HERE / "requirements.txt").read_text()
    ready = folder / "ready"
    pip = [str(python), "-m", "pip", "install", "--quiet",
           "--disable-pip-version-check"]
    if not ready.exists() or ready.read_text() != pins:
        for command in (
                [sys.executable, "-m", "venv", "--clear", str(folder)],
                [*pip, "-r", str(HERE / "requirements.txt")]):
            if subprocess.run(command, stdout=sys.stderr).returncode != 0:
                return None
        ready.write_text(pins)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation",
                    "--force-reinstall", "-C",
                    f"build-dir={build / 'bindings-python'}", str(PACKAGE)],
                   check=True, stdout=sys.stderr)
    return python


def ask(python, program, *arguments):
    done = subprocess.run([python, str(HERE / program), *arguments],
                          stdout=subprocess.PIPE, text=True, timeout=300)
    if done.returncode != 0:
        print(f"FAILED python: {program} {' '.join(arguments)}",
              file=sys.stderr)
        raise SystemExit(1)
    return json.loads(done.stdout.splitlines()[-1])


def row(what, value, unit, **bar):
    passed = value <= bar.get("at_most", value) and (
        value >= bar.get("at_least", value))
    print(json.dumps({"bench": "python", "what": what, "value": value,
                      "unit": unit, **bar, "pass": passed}), flush=True)


def spans(python):
    who = ("llmlab", "opentelemetry", "langfuse")
    told = {name: [] for name in who}
    for _ in range(TURNS):
        for name in who:
            told[name].append(ask(python, "spans.py", name))
    best = {name: {form: min(one[form] for one in told[name])
                   for form in ("bare", "four", "at_once")} for name in who}
    ours = best["llmlab"]
    row("with span: min", ours["bare"], "ns")
    row("with span, 4 x set: min", ours["four"], "ns", at_most=1500)
    row("an attribute: min", (ours["four"] - ours["bare"]) / 4, "ns")
    row("with span(attributes=4): min", ours["at_once"], "ns", at_most=1500)
    for name, bar in (("opentelemetry", {"at_least": 10}), ("langfuse", {})):
        row(f"{name}: span, 4 attributes: min", best[name]["four"], "ns")
        row(f"{name} / ours", best[name]["four"] / ours["four"], "times",
            **bar)
        row(f"{name} / ours, attributes at once",
            best[name]["at_once"] / ours["at_once"], "times")
    row("dropped meanwhile", sum(one["dropped"] for one in told["llmlab"]),
        "spans", at_most=0)


def calls(python):
    who = ("llmlab", "openllmetry", "langfuse")
    told = {name: [] for name in who}
    for _ in range(TURNS):
        for name in who:
            told[name].append(ask(python, "calls.py", name))
    bare = min(one["bare"] for of in told.values() for one in of)
    row("openai call, mocked transport: min", bare, "us")
    for name in who:
        row(f"added to it by {name}",
            min(one["traced"] for one in told[name]) -
            min(one["bare"] for one in told[name]), "us")


def memory(python):
    told = ask(python, "memory.py")
    row("300,000 spans: resident memory grows", told["grown"], "KiB",
        at_most=1024)
    row("300,000 spans: dropped", told["dropped"], "spans", at_most=0)
    if told["dropped"] or told["delivered"] != told["expected"]:
        print(f"FAILED python: {told}", file=sys.stderr)
        FAILED.append("memory")


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    python = environment(build)
    if python is None:
        print("SKIP bindings_python: PyPI cannot be reached", file=sys.stderr)
        return 0
    spans(python)
    calls(python)
    memory(python)
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
