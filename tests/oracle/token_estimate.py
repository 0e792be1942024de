#!/usr/bin/env python3
"""How far the estimate of tokens is off, on recorded replies.

    token_estimate.py LLMLAB RESPONSES

Every recorded reply whose counts are all of text that can be seen is read
twice: as it is, and with its counts made unreadable, as if the stream had been
cut before them or the server did not count. The difference is the error.
Prints a line per provider, for the output and for the input (the requests'
text), and fails where the error of all has grown beyond what docs/USAGE.md
tells.
"""
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

SHORTEST = 20  # tokens: below, one token more is a large error

# Median and 9 of 10, at most. Output of streams and of whole bodies, with and
# without calls of tools; input.
TOLD = {"stream": (0.13, 0.40), "stream, tools": (0.20, 0.80),
        "body": (0.08, 0.26), "body, tools": (0.15, 0.80),
        "input": (0.20, 0.90)}

TOOLS = re.compile(rb'"(tool_calls|tool_use|function_call|functionCall|'
                   rb'toolUse|executed_tools)"')

COUNTS = re.compile(
    rb'"(usage|usageMetadata|meta|prompt_eval_count|eval_count|x_groq)"'
    rb"(\s*:)")
HIDDEN = ("reasoning_tokens", "output_audio_tokens", "output_image_tokens",
          "output_video_tokens", "citation_tokens")
NO_TEXT = ("input_audio_tokens", "input_image_tokens", "input_video_tokens",
           "web_search_requests", "audio_seconds", "queries", "input_images")


def run(llmlab, root, rows):
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    done = subprocess.run([llmlab, "usage", "--jsonl", "--root", str(root)],
                          input=lines, stdout=subprocess.PIPE, text=True,
                          check=True)
    return {answer["id"]: answer
            for answer in map(json.loads, done.stdout.splitlines())}


def any_of(usage, names):
    return any(usage.get(name) for name in names)


def tools_or_search(request):
    """What a provider adds to the prompt by itself cannot be seen."""
    return bool(re.search(rb'"(tools|functions|response_format|documents|'
                          rb'toolConfig|web_search_options)"', request))


def compare(rows, counted, estimated, folder):
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for row in rows:
        usage = counted[row["id"]]["usage"]
        answer = estimated[row["id"]]
        guess = answer["usage"]
        if answer["usage_source"] != "estimated":
            continue
        kind = "stream" if row["stream"] else "body"
        if TOOLS.search((folder / row["response_file"]).read_bytes()):
            kind += ", tools"
        output = usage.get("output_tokens") or 0
        if (output >= SHORTEST and not any_of(usage, HIDDEN)
                and counted[row["id"]]["complete"]):
            pair = (output, guess["output_tokens"])
            found[kind][row["provider"]].append(pair)
            found[kind]["all"].append(pair)
        given = usage.get("input_tokens") or 0
        if (given >= SHORTEST and "input_tokens" in guess
                and not any_of(usage, NO_TEXT) and not tools_or_search(
                    (folder / row["request_file"]).read_bytes())):
            pair = (given, guess["input_tokens"])
            found["input"][row["provider"]].append(pair)
            found["input"]["all"].append(pair)
    return found


def main():
    llmlab, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    with open(folder / "index.jsonl", encoding="utf-8") as index:
        rows = [row for row in map(json.loads, index)
                if row["status"] == 200
                and row["kind"] in ("json", "sse", "ndjson")]
    keys = ("id", "provider", "api", "url", "response_file", "request_file",
            "request_model", "stream")
    rows = [{key: row[key] for key in keys if row.get(key) is not None}
            for row in rows]
    counted = run(llmlab, folder, rows)
    rows = [row for row in rows
            if counted[row["id"]]["usage_source"] == "provider"]
    with tempfile.TemporaryDirectory() as scratch:
        blind = []
        for row in rows:
            body = (folder / row["response_file"]).read_bytes()
            path = pathlib.Path(scratch) / row["id"]
            path.write_bytes(COUNTS.sub(rb'"no_\1"\2', body))
            other = dict(row, response_file=str(path.resolve())[1:])
            if "request_file" in row:
                other["request_file"] = str(
                    (folder / row["request_file"]).resolve())[1:]
            blind.append(other)
        estimated = run(llmlab, "/", blind)
    found = compare(rows, counted, estimated, folder)
    failed = 0
    for kind, (most, nine) in TOLD.items():
        print(f"{kind:24}{'replies':>8}{'median':>9}{'9 of 10':>9}{'sum':>9}")
        for provider, pairs in sorted(found[kind].items(),
                                      key=lambda x: -len(x[1])):
            errors = sorted(abs(guess - count) / count
                            for count, guess in pairs)
            total = (sum(guess for _, guess in pairs)
                     / sum(count for count, _ in pairs) - 1)
            median = errors[len(errors) // 2]
            ninth = errors[len(errors) * 9 // 10]
            print(f"{provider:24}{len(pairs):8}{median:9.1%}{ninth:9.1%}"
                  f"{total:9.1%}")
            failed += provider == "all" and (median > most or ninth > nine)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
