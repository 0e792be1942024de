#!/usr/bin/env python3
"""An independent reading of recorded replies, to check the C readers against.

    usage_oracle.py LLMLAB FOLDER     compare with `LLMLAB usage --jsonl` on
                                      FOLDER/index.jsonl, row by row

It parses whole documents into trees and follows docs/USAGE.md; nothing is
shared with the library. Exit status 1 where a field differs.
"""
import base64
import json
import pathlib
import struct
import subprocess
import sys
import zlib
from decimal import ROUND_HALF_EVEN, Decimal


# --- framings ---------------------------------------------------------------

def json_texts(data):
    """JSON texts in a row, and whether the bytes ended with the last one."""
    text = data.decode("utf-8", "replace").lstrip("\ufeff").strip()
    decoder = json.JSONDecoder(parse_float=Decimal, parse_int=Decimal,
                               strict=False)
    found, at = [], 0
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except ValueError:
            return found, False
        found.append(value)
        while at < len(text) and text[at] in " \t\r\n":
            at += 1
    return found, True


def loads(text):
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def sse_events(data):
    text = data.decode("utf-8", "replace").lstrip("\ufeff")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    done, events = False, []
    for block in text.split("\n\n"):
        lines = [line[5:].removeprefix(" ") for line in block.split("\n")
                 if line.startswith("data:")]
        body = "\n".join(lines).strip()
        if body == "[DONE]":
            done = True
        elif body:
            try:
                events.append(loads(body))
            except ValueError:
                pass  # cut off
    return events, done


def frames(data):
    """Events of AWS's stream: (type, payload); False where it is cut."""
    found, at = [], 0
    while at < len(data):
        if at + 12 > len(data):
            return found, False
        total, headers_size = struct.unpack(">II", data[at:at + 8])
        if at + total > len(data):
            return found, False
        frame = data[at:at + total]
        if zlib.crc32(frame[:-4]) != struct.unpack(">I", frame[-4:])[0]:
            return found, False
        headers, payload = frame[12:12 + headers_size], frame[12 + headers_size:-4]
        names = {}
        while headers:
            size = headers[0]
            name = headers[1:1 + size].decode()
            assert headers[1 + size] == 7
            length = struct.unpack(">H", headers[2 + size:4 + size])[0]
            names[name] = headers[4 + size:4 + size + length].decode()
            headers = headers[4 + size + length:]
        found.append((names, loads(payload) if payload else {}))
        at += total
    return found, True


# --- small things -----------------------------------------------------------

def pick(tree, *path):
    for key in path:
        if not isinstance(tree, dict):
            return None
        tree = tree.get(key)
    return tree


def first(*values):
    return next((v for v in values if v is not None), None)


def whole(value):
    if value is None:
        return None
    value = Decimal(value)
    assert value == value.to_integral_value() and value >= 0
    return value.to_integral_value()


def put(usage, field, value):
    if value is not None:
        usage[field] = whole(value)


def total_of(*values):
    present = [v for v in values if v is not None]
    return sum(present) if present else None


# --- one usage object -> canonical -------------------------------------------

def openai_usage(u, provider, only_input):
    """Chat's and Responses' usage, with everybody's additions."""
    out = {}
    inside = first(*(u.get(k) for k in (
        "prompt_tokens_details", "prompt_token_details",
        "input_tokens_details", "input_token_details"))) or {}
    outside = first(*(u.get(k) for k in (
        "completion_tokens_details", "completion_token_details",
        "output_tokens_details", "output_token_details"))) or {}
    given = first(u.get("prompt_tokens"), u.get("input_tokens"))
    answer = first(u.get("completion_tokens"), u.get("output_tokens"))
    total = u.get("total_tokens")
    read = first(u.get("prompt_cache_hit_tokens"), inside.get("cached_tokens"),
                 u.get("cached_tokens"), u.get("num_cached_tokens"),
                 u.get("cache_read_input_tokens"))
    write = first(inside.get("cache_write_tokens"),
                  u.get("cache_creation_input_tokens"),
                  inside.get("cache_creation_tokens"))
    reasoning = first(outside.get("reasoning_tokens"),
                      u.get("reasoning_tokens"))
    put(out, "cache_read_tokens", read)
    put(out, "cache_write_tokens", write)
    put(out, "reasoning_tokens", reasoning)
    cache = (read or 0) + (write or 0)
    if given is not None and answer is not None:
        if provider == "perplexity":
            answer += reasoning or 0
        elif total is not None and total != given + answer:
            if reasoning and total == given + answer + reasoning:
                answer += reasoning
            elif cache and total == given + answer + cache:
                given += cache
        elif total is not None and (reasoning or 0) > answer and (
                provider != "openrouter"):
            answer += reasoning  # no part exceeds its whole
    if given is None and answer is None and only_input:
        given = total
    put(out, "input_tokens", given)
    put(out, "output_tokens", answer)
    cached = inside.get("cached_tokens_details") or {}
    for kind in ("audio", "image", "video"):
        from_cache = cached.get(kind + "_tokens")
        tokens = inside.get(kind + "_tokens")
        put(out, f"cache_read_{kind}_tokens", from_cache)
        if tokens is not None:
            put(out, f"input_{kind}_tokens",
                max(tokens - (from_cache or 0), Decimal(0)))
        put(out, f"output_{kind}_tokens", outside.get(kind + "_tokens"))
    put(out, "citation_tokens", u.get("citation_tokens"))
    put(out, "image_pixels", u.get("image_pixels"))
    seconds = first(u.get("prompt_audio_seconds"), u.get("seconds"))
    if isinstance(seconds, Decimal):
        out["audio_seconds"] = seconds
    return out


def anthropic_usage(u):
    out = {}
    split = u.get("cache_creation") or {}
    for_5m = split.get("ephemeral_5m_input_tokens")
    for_1h = split.get("ephemeral_1h_input_tokens")
    written = u.get("cache_creation_input_tokens")
    if written is not None and written > (for_5m or 0) + (for_1h or 0):
        for_5m = written - (for_1h or 0)
    elif for_5m is None and (written is not None or for_1h is not None):
        for_5m = Decimal(0)
    parts = {"input": u.get("input_tokens"), "out": u.get("output_tokens"),
             "read": u.get("cache_read_input_tokens"), "5m": for_5m,
             "1h": for_1h}
    for entry in u.get("iterations") or []:
        if entry.get("type") != "compaction":
            continue
        more = entry.get("cache_creation") or {}
        one_hour = more.get("ephemeral_1h_input_tokens", Decimal(0))
        extra = {"input": entry.get("input_tokens"),
                 "out": entry.get("output_tokens"),
                 "read": entry.get("cache_read_input_tokens"),
                 "5m": max(entry.get("cache_creation_input_tokens",
                                     Decimal(0)) - one_hour,
                           more.get("ephemeral_5m_input_tokens", Decimal(0))),
                 "1h": one_hour}
        for key, value in extra.items():
            if parts[key] is not None:
                parts[key] += value or 0
    if parts["input"] is not None:
        put(out, "input_tokens", total_of(parts["input"], parts["read"],
                                          parts["5m"], parts["1h"]))
    put(out, "output_tokens", parts["out"])
    put(out, "cache_read_tokens", parts["read"])
    put(out, "cache_write_5m_tokens", parts["5m"])
    put(out, "cache_write_1h_tokens", parts["1h"])
    put(out, "reasoning_tokens",
        pick(u, "output_tokens_details", "thinking_tokens"))
    put(out, "web_search_requests",
        pick(u, "server_tool_use", "web_search_requests"))
    put(out, "web_fetch_requests",
        pick(u, "server_tool_use", "web_fetch_requests"))
    return out


def by_modality(entries):
    found = {}
    for entry in entries or []:
        kind = str(entry.get("modality")).lower()
        kind = "image" if kind == "document" else kind
        tokens = first(entry.get("tokenCount"), entry.get("tokens"))
        if kind in ("audio", "image", "video") and tokens is not None:
            found[kind] = found.get(kind, Decimal(0)) + tokens
    return found


def gemini_usage(prompt, tools, answer, thoughts, cached, inputs, outputs,
                 from_cache):
    out = {}
    if prompt is not None:
        put(out, "input_tokens", total_of(prompt, tools))
    put(out, "output_tokens", total_of(answer, thoughts))
    put(out, "reasoning_tokens", thoughts)
    put(out, "cache_read_tokens", cached)
    read = by_modality(from_cache)
    for kind, tokens in read.items():
        put(out, f"cache_read_{kind}_tokens", tokens)
    for kind, tokens in by_modality(inputs).items():
        put(out, f"input_{kind}_tokens",
            max(tokens - read.get(kind, Decimal(0)), Decimal(0)))
    for kind, tokens in by_modality(outputs).items():
        put(out, f"output_{kind}_tokens", tokens)
    return out


def generate_usage(u):
    return gemini_usage(
        u.get("promptTokenCount"), u.get("toolUsePromptTokenCount"),
        first(u.get("candidatesTokenCount"), u.get("responseTokenCount")),
        u.get("thoughtsTokenCount"), u.get("cachedContentTokenCount"),
        first(u.get("promptTokensDetails"), u.get("promptTokenDetails")),
        u.get("candidatesTokensDetails"), u.get("cacheTokensDetails"))


def interaction_usage(u):
    return gemini_usage(
        u.get("total_input_tokens"), u.get("total_tool_use_tokens"),
        u.get("total_output_tokens"), u.get("total_thought_tokens"),
        u.get("total_cached_tokens"), u.get("input_tokens_by_modality"),
        u.get("output_tokens_by_modality"), u.get("cached_tokens_by_modality"))


def converse_usage(u, model=""):
    out = {}
    given, answer = u.get("inputTokens"), u.get("outputTokens")
    read = first(u.get("cacheReadInputTokens"),
                 u.get("cacheReadInputTokenCount"))
    write = first(u.get("cacheWriteInputTokens"),
                  u.get("cacheWriteInputTokenCount"))
    cache = (read or 0) + (write or 0)
    total = u.get("totalTokens")
    inclusive = total is not None and given is not None and (
        total == given + (answer or 0))
    if "openai." in model and given is not None and given >= cache:
        inclusive = True
    if given is not None:
        put(out, "input_tokens", given if inclusive else given + cache)
    put(out, "output_tokens", answer)
    put(out, "cache_read_tokens", read)
    if write is not None:
        kept = {}
        for entry in u.get("cacheDetails") or []:
            ttl = "1h" if entry.get("ttl") == "1h" else "5m"
            kept[ttl] = kept.get(ttl, 0) + entry.get("inputTokens", 0)
        five = kept.get("5m", Decimal(0))
        if write > sum(kept.values()):
            five = write - kept.get("1h", 0)
        put(out, "cache_write_5m_tokens", five)
        put(out, "cache_write_1h_tokens", kept.get("1h"))
    return out


def cohere_usage(u):
    out = {}
    billed = u.get("billed_units")
    if billed is None:
        tokens = u.get("tokens") or {}
        put(out, "input_tokens", tokens.get("input_tokens"))
        put(out, "output_tokens", tokens.get("output_tokens"))
        return out
    put(out, "input_tokens", billed.get("input_tokens"))
    put(out, "output_tokens", billed.get("output_tokens"))
    put(out, "cache_read_tokens", u.get("cached_tokens"))
    put(out, "queries", billed.get("search_units"))
    put(out, "input_images", billed.get("images"))
    put(out, "input_image_tokens", billed.get("image_tokens"))
    return out


# --- one reply ----------------------------------------------------------------

def sums(parts):
    out = {}
    for part in parts:
        for field, count in part.items():
            out[field] = out.get(field, 0) + count
    return out


def merge(objects):
    """Cumulative: the last value of each member stands."""
    merged = {}
    for value in objects:
        for key, member in (value or {}).items():
            if isinstance(member, dict) and isinstance(merged.get(key), dict):
                merged[key] = {**merged[key], **{
                    k: v for k, v in member.items() if v is not None}}
            elif member is not None:
                merged[key] = member
    return merged


def charge(u, provider):
    """What the provider says it charged; with a key of one's own it charges
    its fee alone, and the upstream the rest."""
    cost = u.get("cost")
    if isinstance(cost, dict):
        cost = cost.get("total_cost")
    if u.get("is_byok") and cost is not None:
        cost += pick(u, "cost_details", "upstream_inference_cost") or 0
    # Azure's Grok writes zero ticks, but Azure bills its own prices.
    if (u.get("cost_in_usd_ticks") is not None
            and not provider.startswith("azure")):
        cost = u["cost_in_usd_ticks"] / Decimal(10) ** 10
    return None if cost is None else Decimal(cost)


def femto(amount):
    """Amounts are whole femto-USD: what is finer is rounded half-even."""
    return amount.quantize(Decimal("1e-15"), rounding=ROUND_HALF_EVEN)


def read_openai(texts, row):
    """Chat, Responses, and what has a usage object of their kind."""
    usages, finals, items = [], [], []
    only_input = row["api"] in ("embeddings", "rerank")
    for text in texts:
        if not isinstance(text, dict):
            continue
        holder = text
        if isinstance(text.get("response"), dict):
            holder = text["response"]
        for found in (pick(text, "x_groq", "usage"), holder.get("usage")):
            if isinstance(found, dict):
                usages.append(found)
        if isinstance(holder.get("output"), list) and holder["output"]:
            finals = holder["output"]
        if isinstance(text.get("item"), dict) and (
                text["item"].get("status") == "completed"):
            items.append(text["item"])
        if "tool_usage" in holder:
            usages.append({"tool_usage": holder["tool_usage"]})
        if isinstance(text.get("usage_info"), dict):
            usages.append({"pages": text["usage_info"].get("pages_processed")})
    u = merge(usages)
    usage = openai_usage(u, row["provider"], only_input)
    stated = first(pick(u, "tool_usage", "web_search", "num_requests"),
                   pick(u, "server_side_tool_usage_details",
                        "web_search_calls"))
    output = [i for i in finals or items if isinstance(i, dict)]
    if stated is None:
        stated = Decimal(sum(
            1 for item in output if item.get("type") == "web_search_call" and
            pick(item, "action", "type") not in ("open_page", "find_in_page")))
    if stated:
        put(usage, "web_search_requests", stated)
    for given in (pick(u, "server_tool_use", "web_search_requests"),
                  pick(u, "server_tool_use_details", "web_search_requests"),
                  u.get("num_search_queries")):
        put(usage, "web_search_requests", given)
    put(usage, "pages", u.get("pages"))
    files = sum(1 for i in output if i.get("type") == "file_search_call")
    boxes = {i.get("container_id") for i in output
             if i.get("type") == "code_interpreter_call"}
    if files:
        usage["file_search_calls"] = files
    if boxes:
        usage["code_interpreter_sessions"] = len(boxes)
    return usage, charge(u, row["provider"] or "")


def read_anthropic(texts, _row):
    results = [pick(t, "result", "message", "usage") for t in texts
               if isinstance(t, dict) and "result" in t]
    if results:
        return sums(anthropic_usage(u) for u in results if u), None
    usages = []
    for text in texts:
        usages += [pick(text, "message", "usage"), pick(text, "usage")]
    return anthropic_usage(merge(usages)), None


def read_gemini(texts, _row):
    if len(texts) == 1 and isinstance(texts[0], list):
        texts = texts[0]
    batch = pick(texts[0], "response", "inlinedResponses",
                 "inlinedResponses") if texts else None
    if batch:
        return sums(generate_usage(e["response"]["usageMetadata"])
                    for e in batch), None
    usage = generate_usage(merge(pick(t, "usageMetadata") for t in texts))
    counted = [pick(p, "embeddings", "statistics", "token_count")
               for t in texts for p in pick(t, "predictions") or []]
    put(usage, "input_tokens", total_of(*counted))
    for text in texts:
        put(usage, "input_characters",
            pick(text, "metadata", "billableCharacterCount"))
    return usage, None


def read_interaction(texts, _row):
    usages = []
    for text in texts:
        usages += [pick(text, "usage"), pick(text, "interaction", "usage"),
                   pick(text, "metadata", "usage")]
    return interaction_usage(merge(usages)), None


def read_cohere(texts, _row):
    found = {}
    for text in texts:
        for u in (pick(text, "usage"), pick(text, "delta", "usage"),
                  pick(text, "meta"), pick(text, "response", "meta")):
            found = u or found
    return cohere_usage(found), None


def read_ollama(texts, _row):
    usage, last = {}, merge(t for t in texts if isinstance(t, dict))
    put(usage, "input_tokens", last.get("prompt_eval_count"))
    put(usage, "cache_read_tokens", last.get("prompt_eval_cached_count"))
    put(usage, "output_tokens", last.get("eval_count"))
    return usage, None


def read_vendor(texts, row):
    """The body of InvokeModel, by whose it is."""
    usages = []
    for text in texts:
        usages += [pick(text, "message", "usage"), pick(text, "usage"),
                   pick(text, "metadata", "usage")]
    u = merge(u for u in usages if isinstance(u, dict))
    last = merge(t for t in texts if isinstance(t, dict))
    if "inputTokens" in u:
        return converse_usage(u)
    if "prompt_tokens" in u:
        return openai_usage(u, row["provider"], False)
    if "input_tokens" in u:
        return anthropic_usage(u)
    if "prompt_token_count" in last or "generation_token_count" in last:
        usage = {}
        put(usage, "input_tokens", last.get("prompt_token_count"))
        put(usage, "output_tokens", last.get("generation_token_count"))
        return usage
    if "inputTextTokenCount" in last:
        usage = {}
        put(usage, "input_tokens", last["inputTextTokenCount"])
        put(usage, "output_tokens", first(
            last.get("totalOutputTextTokenCount"),
            total_of(*(r.get("tokenCount")
                       for r in last.get("results") or []))))
        return usage
    return {}


def counted_by_bedrock(given, answer, read, write):
    usage = {}
    if given is not None:
        put(usage, "input_tokens", total_of(given, read, write))
    put(usage, "output_tokens", answer)
    put(usage, "cache_read_tokens", read)
    put(usage, "cache_write_5m_tokens", write)
    return usage


def bedrock_headers(headers):
    found = {k.lower(): v for k, v in (headers or {}).items()}
    counts = [found.get(f"x-amzn-bedrock-{name}-token-count") for name in
              ("input", "output", "cache-read-input", "cache-write-input")]
    return counted_by_bedrock(*(None if c is None else Decimal(c)
                                for c in counts))


def read_bedrock_stream(events, row):
    inner, usages, agent = [], [], []
    for _names, payload in events:
        if isinstance(payload.get("bytes"), str):
            plain = base64.b64decode(payload["bytes"])
            if plain[:1] == b"{":
                inner.append(loads(plain))
        usages.append(payload.get("usage"))
        for step in (pick(payload, "trace", "trace") or {}).values():
            agent.append(pick(step, "modelInvocationOutput", "metadata",
                              "usage"))
    if inner:
        usage = read_vendor(inner, row)
        metrics = merge(pick(t, "amazon-bedrock-invocationMetrics")
                        for t in inner)
        if not usage and metrics:
            usage = counted_by_bedrock(
                metrics.get("inputTokenCount"),
                metrics.get("outputTokenCount"),
                metrics.get("cacheReadInputTokenCount"),
                metrics.get("cacheWriteInputTokenCount"))
        return usage
    if any(agent):
        return sums(converse_usage(u) for u in agent if u)
    return converse_usage(merge(u for u in usages if u), row["url"] or "")


READERS = {
    "messages": read_anthropic, "raw_predict": read_anthropic,
    "stream_raw_predict": read_anthropic, "complete": read_anthropic,
    "generate_content": read_gemini, "stream_generate_content": read_gemini,
    "batch_embed_contents": read_gemini, "embed_content": read_gemini,
    "predict": read_gemini, "interactions": read_interaction,
}
NO_CALL = ("count_tokens", "cached_contents", "models")


def read(row, data):
    """Canonical usage and the stated charge."""
    provider, api = row["provider"], row["api"]
    if api in NO_CALL:
        return {}, None
    if row["kind"] == "eventstream":
        return read_bedrock_stream(frames(data)[0], row), None
    texts = (sse_events(data)[0] if row["kind"] == "sse"
             else json_texts(data)[0])
    if not texts:
        return {}, None
    if provider == "bedrock" and api in (
            "invoke", "invoke_with_response_stream"):
        usage = read_vendor(texts, row)
        return usage or bedrock_headers(row.get("headers")), None
    if api == "converse":
        return converse_usage(pick(texts[0], "usage") or {},
                              row["url"] or ""), None
    if provider == "cohere":
        return read_cohere(texts, row)
    if provider == "ollama" and api in ("chat", "generate"):
        return read_ollama(texts, row)
    if api == "batches" and provider in ("anthropic", "gemini"):
        return (read_anthropic if provider == "anthropic"
                else read_gemini)(texts, row)
    usage, cost = READERS.get(api, read_openai)(texts, row)
    stated = {k.lower(): v for k, v in (row.get("headers") or {}).items()}
    if cost is None and "x-litellm-response-cost" in stated:
        cost = Decimal(stated["x-litellm-response-cost"])
    return usage, cost


def main():
    llmlab, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    index = (folder / "index.jsonl").read_text(encoding="utf-8")
    run = subprocess.run([llmlab, "usage", "--jsonl", "--root", str(folder)],
                         input=index, stdout=subprocess.PIPE, text=True,
                         check=False)
    got = {}
    for line in run.stdout.split("\n"):
        if line:
            answer = loads(line)
            got[answer["id"]] = answer
    rows = wrong = stated = estimated = 0
    for line in index.split("\n"):
        if not line:
            continue
        row = json.loads(line)
        rows += 1
        answer = got.get(row["id"])
        if answer is None:
            print(f"{row['id']}: no answer")
            wrong += 1
            continue
        usage, cost = read(row, (folder / row["response_file"]).read_bytes())
        mine = answer["usage"] or {}
        theirs = answer.get("provider_cost_usd")
        stated += bool(usage)
        if answer["usage_source"] == "estimated" and not usage and (
                set(mine) <= {"input_tokens", "output_tokens"}):
            estimated += 1  # nobody counted: there is nothing to compare
        elif mine != usage:
            print(f"{row['id']} {row['provider']} {row['api']}: "
                  f"reads {mine}, should be {usage}")
            wrong += 1
        elif (theirs is None) != (cost is None) or (
                cost is not None and Decimal(theirs) != femto(cost)):
            print(f"{row['id']} {row['provider']} {row['api']}: "
                  f"charge {theirs}, should be {cost}")
            wrong += 1
    print(f"{rows} replies, {stated} with usage, {estimated} estimated, "
          f"{wrong} read otherwise")
    return 1 if wrong or run.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
