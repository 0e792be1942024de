#!/usr/bin/env python3
"""How far llmlab_tokens_estimate() is off, on recorded replies.

    token_estimate.py LIBLLMLAB.SO RESPONSES

Of each reply whose output is text alone: the estimate of its text against the
output tokens that the provider counts. Prints a line per provider.
"""
import collections
import ctypes
import json
import pathlib
import sys

SHORTEST = 20  # tokens: below, one token more is a large error


def choice(body):
    message = body["choices"][0]["message"]
    details = body["usage"].get("completion_tokens_details") or {}
    if (len(body["choices"]) > 1 or message.get("tool_calls")
            or message.get("reasoning_content") or message.get("reasoning")
            or details.get("reasoning_tokens")
            or details.get("audio_tokens")):
        return None
    return message["content"], body["usage"]["completion_tokens"]


def anthropic(body):
    if any(block["type"] != "text" for block in body["content"]):
        return None
    return ("".join(block["text"] for block in body["content"]),
            body["usage"]["output_tokens"])


def gemini(body):
    parts = body["candidates"][0]["content"]["parts"]
    if (body["usageMetadata"].get("thoughtsTokenCount")
            or any(set(part) - {"text"} for part in parts)):
        return None
    return ("".join(part["text"] for part in parts),
            body["usageMetadata"]["candidatesTokenCount"])


def responses(body):
    if (body["usage"]["output_tokens_details"].get("reasoning_tokens")
            or any(item["type"] != "message" for item in body["output"])):
        return None
    return ("".join(part["text"] for item in body["output"]
                    for part in item["content"]),
            body["usage"]["output_tokens"])


def text_and_count(body):
    """None where the counted output is more than text that can be seen."""
    try:
        if "choices" in body:
            return choice(body)
        if body.get("type") == "message":
            return anthropic(body)
        if "candidates" in body:
            return gemini(body)
        if body.get("object") == "response":
            return responses(body)
    except (KeyError, IndexError, TypeError, AttributeError):
        pass
    return None


def main():
    library = ctypes.CDLL(sys.argv[1])
    library.llmlab_tokens_estimate.restype = ctypes.c_uint64
    library.llmlab_tokens_estimate.argtypes = [
        ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t]
    folder = pathlib.Path(sys.argv[2])
    found = collections.defaultdict(list)
    with open(folder / "index.jsonl", encoding="utf-8") as index:
        for row in map(json.loads, index):
            if row["status"] != 200 or row["kind"] != "json":
                continue
            body = json.loads((folder / row["response_file"]).read_bytes())
            pair = text_and_count(body)
            if (not pair or not isinstance(pair[0], str) or not pair[0]
                    or (pair[1] or 0) < SHORTEST):
                continue
            data = pair[0].encode("utf-8", "replace")
            guess = library.llmlab_tokens_estimate(
                row["provider"].encode(), data, len(data))
            found[row["provider"]].append((pair[1], guess, len(data) / 4))
    found["all"] = [one for rows in list(found.values()) for one in rows]
    print(f"{'provider':24}{'replies':>8}{'median':>9}{'9 of 10':>9}"
          f"{'sum':>8}{'bytes / 4':>11}")
    for provider, rows in sorted(found.items(), key=lambda x: -len(x[1])):
        errors = sorted(abs(guess - count) / count for count, guess, _ in rows)
        simple = sorted(abs(quarter - count) / count
                        for count, _, quarter in rows)
        total = (sum(guess for _, guess, _ in rows)
                 / sum(count for count, _, _ in rows) - 1)
        print(f"{provider:24}{len(rows):8}{errors[len(rows) // 2]:9.1%}"
              f"{errors[len(rows) * 9 // 10]:9.1%}{total:8.1%}"
              f"{simple[len(rows) // 2]:11.1%}")


if __name__ == "__main__":
    main()
