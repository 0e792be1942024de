#!/usr/bin/env python3
"""Make src/pricing/second_source.json: what another source says of the models
in src/pricing/prices.json, for the table compiler to compare.

    tools/import_second_source.py --genai FILE --date DATE

For maintainers; the build needs no Python. FILE is the second version of
genai-prices' data. Only a model that both sources call by the same name is
taken, and of it only the prices of a plain call: names are not guessed. Where
the two differ more than twofold the build fails, until one of them is right or
the difference stands under "reviewed" in src/pricing/reviewed.json.
"""
import argparse
import json
import os
from decimal import Decimal

HERE = os.path.dirname(os.path.abspath(__file__))
PRICES = os.path.join(HERE, "../src/pricing/prices.json")
OUT = os.path.join(HERE, "../src/pricing/second_source.json")

# Their provider, and how our keys of it begin.
PREFIXES = {
    "anthropic": "", "aws": "", "azure": "azure/", "cerebras": "cerebras/",
    "cohere": "", "deepseek": "deepseek/",
    "fireworks": "fireworks_ai/accounts/fireworks/models/",
    "google": "gemini/", "groq": "groq/", "minimax": "minimax/",
    "mistral": "mistral/", "moonshotai": "moonshot/", "openai": "",
    "openrouter": "openrouter/", "perplexity": "perplexity/",
    "together": "together_ai/", "voyageai": "voyage/", "x-ai": "xai/",
    "zai": "zai/",
}
RATES = {"input_mtok": "input", "output_mtok": "output",
         "cache_read_mtok": "cache_read", "cache_write_mtok": "cache_write"}


def newest(prices):
    """The prices of no hour in particular that hold last."""
    if isinstance(prices, dict):
        return prices
    lasting = [p["prices"] for p in prices
               if "start_time" not in (p.get("constraint") or {})]
    return lasting[-1] if lasting else {}


def rates(prices):
    found = {}
    for theirs, ours in RATES.items():
        value = prices.get(theirs)
        if isinstance(value, dict):
            value = value.get("base")
        if value is not None:
            found[ours] = format(Decimal(value).normalize(), "f")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--genai", required=True)
    parser.add_argument("--date", required=True)
    options = parser.parse_args()
    with open(options.genai, encoding="utf-8") as file:
        providers = json.load(file, parse_float=Decimal)
    with open(PRICES, encoding="utf-8") as file:
        ours = json.load(file)["models"]
    lines = {}
    for provider in providers:
        prefix = PREFIXES.get(provider["id"])
        for model in provider["models"] if prefix is not None else ():
            key = prefix + model["id"]
            found = rates(newest(model["prices"])) if key in ours else {}
            if found:
                lines[key] = f"{json.dumps(key)}: {json.dumps(found)}"
    with open(OUT, "w", encoding="utf-8") as file:
        file.write('{"llmlab_second_source": 1,\n"source": "genai-prices",\n'
                   f'"date": "{options.date}",\n"models": {{\n')
        file.write(",\n".join(lines[key] for key in sorted(lines)))
        file.write("\n}}\n")
    print(f"{len(lines)} models")


main()
