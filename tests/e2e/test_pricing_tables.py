#!/usr/bin/env python3
"""llmlab pricing: show, diff and update."""
import json
import os
import subprocess
import sys
import tempfile


def run(*args):
    return subprocess.run(["llmlab", "pricing", *args], text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False)


def require(condition, done):
    if not condition:
        sys.exit(f"{done.args}: {done.returncode}\n{done.stdout}{done.stderr}")


def row(price, **more):
    return {"litellm_provider": "openai", "mode": "chat",
            "input_cost_per_token": price, "output_cost_per_token": price,
            **more}


with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "public.json")
    out = os.path.join(folder, "mine.json")

    done = run("show", "gpt-4o", "--json")
    require(done.returncode == 0 and
            json.loads(done.stdout)["gpt-4o"]["rates"]["input"] == "2.5", done)
    done = run("show", "gpt-4o")
    require("source litellm of 20" in done.stdout, done)
    done = run("show", "no-such-model")
    require(done.returncode == 1 and "no price is known" in done.stderr, done)
    done = run("diff", "builtin", "builtin")
    require(done.stdout.startswith("0 models added, 0 removed, 0 changed"),
            done)

    good = {f"model-{i}": row(1e-06) for i in range(40)}
    with open(path, "w", encoding="utf-8") as file:
        json.dump({**good, "gpt-4o": row(3e-06, output_cost_per_token=1e-05), "gpt-4o-mini": row(9e-05),
                   "per-thousand": row(0.005)}, file)
    done = run("update", path, "--output", out)
    require(done.returncode == 0 and "2 left out" in done.stdout, done)
    require("gpt-4o-mini: input: 0.15 -> 90 is beyond 3 times" in done.stderr,
            done)
    require("per-thousand: a rate above" in done.stderr, done)
    with open(out, encoding="utf-8") as file:
        models = json.load(file)["models"]
    require("gpt-4o" in models and "gpt-4o-mini" not in models, done)
    done = run("diff", "builtin", out)
    require("~ gpt-4o: input: 2.5 -> 3" in done.stdout, done)
    done = run("show", "gpt-4o", "--prices", out)
    require("3 USD per million tokens" in done.stdout, done)

    # What the built-in table knows better is not undone: hours of the day that
    # the public file lacks, a tier that is far from the other rates.
    with open(path, "w", encoding="utf-8") as file:
        json.dump({**good, "deepseek-v4-pro": {
            "litellm_provider": "deepseek", "mode": "chat",
            "input_cost_per_token": 1.32e-06,
            "output_cost_per_token": 3.96e-06,
            "cache_read_input_token_cost": 4.4e-08},
            "odd": row(1e-06), "gpt-5-nano": row(
                5e-08, output_cost_per_token=4e-07,
                cache_read_input_token_cost=5e-09,
                input_cost_per_token_priority=2.5e-06)}, file)
    done = run("update", path, "--output", out)
    require(done.returncode == 0 and "gpt-5-nano: priority input: 2.5 is far "
            "from its other rates" in done.stderr, done)
    with open(out, encoding="utf-8") as file:
        models = json.load(file)["models"]
    require("odd" in models and "deepseek-v4-pro" not in models and
            "gpt-5-nano" not in models, done)
    require("checked" in models["odd"], done)

    # A file of the user's own is not written over.
    own = os.path.join(folder, "own.json")
    for text in ('{"llmlab_prices": 1, "models": {"x": {"provider": "acme", '
                 '"source": "contract", "rates": {"input": "1"}}}}',
                 '{"llmlab_prices": 1, "aliases": {"a": "gpt-4o"}}',
                 "something else"):
        with open(own, "w", encoding="utf-8") as file:
            file.write(text)
        done = run("update", path, "--output", own)
        require(done.returncode == 1 and "name another file" in done.stderr,
                done)
        with open(own, encoding="utf-8") as file:
            require(file.read() == text, done)
    require(run("update", path, "--output", own, "--force").returncode == 0,
            done)

    before = os.stat(out).st_mtime_ns
    for text in ("{}", "[1]", "{", '{"a": {"input_cost_per_token": -1}}',
                 json.dumps({f"m{i}": row(1) for i in range(9)})):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = run("update", path, "--output", out)
        require(done.returncode == 1 and done.stderr, done)
    require(os.stat(out).st_mtime_ns == before, done)
    for place in ("http://example.com/prices.json", "ftp://x/y",
                  os.path.join(folder, "missing")):
        done = run("update", place, "--output", out)
        require(done.returncode == 1 and done.stderr, done)
    done = run("update", path)
    require(done.returncode == 2, done)
    done = run("frobnicate")
    require(done.returncode == 2, done)

    secret, signed, live = (os.path.join(folder, name) for name in
                            ("secret.key", "signed.json", "live.json"))
    done = run("keygen", secret)
    key = done.stdout.strip()
    require(len(key) == 64 and os.stat(secret).st_mode & 0o77 == 0, done)

    def sign(version, expires, price):
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"llmlab_prices": 1, "version": version,
                       "expires": expires, "models": {"gpt-4o": {
                           "provider": "openai", "rates": {
                               "input": price, "output": "10"}}}}, file)
        return run("sign", path, "--secret-key", secret, "--output", signed)

    def update():
        return run("update", signed, "--public-key", key, "--output", live)

    require(sign("2026-11-02", "2200-01-01", "2").returncode == 0, done)
    done = update()
    require(done.returncode == 0 and "1 models of 2026-11-02" in done.stdout,
            done)
    for version, expires, why in (("2026-11-01", "2200-01-01", "not above"),
                                  ("2026-11-03", "2020-01-01", "expired")):
        sign(version, expires, "2")
        done = update()
        require(done.returncode == 1 and why in done.stderr, done)
    done = sign("2026-11-03", "2200-01-01", "2000")
    require(done.returncode == 1 and "above 0.001" in done.stderr, done)
    sign("2026-11-03", "2200-01-01", "3")
    with open(signed, encoding="utf-8") as file:
        text = file.read()
    with open(signed, "w", encoding="utf-8") as file:
        file.write(text.replace(r'\"3\"', r'\"1\"'))
    done = update()
    require(done.returncode == 1 and "signature" in done.stderr, done)
    with open(signed, "w", encoding="utf-8") as file:
        file.write(text)
    done = update()
    require(done.returncode == 0, done)
