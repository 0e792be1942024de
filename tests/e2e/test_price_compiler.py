"""The table compiler fails the build on a price that cannot be right: each
check, by one sound table and one mutated row."""
import copy
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["LLMLAB_SOURCE_DIR"]) / "src" / "pricing"
COMPILER = pathlib.Path(os.environ["LLMLAB_BUILD_DIR"]) / \
    "src" / "pricing" / "price-compiler"

SOUND = {
    "llmlab_prices": 1, "version": "2026-08-21", "models": {
        "m": {
            "provider": "openai", "source": "us", "checked": "2026-08-21",
            "rates": {"input": "2", "output": "8", "cache_read": "0.2",
                      "cache_write": "2.5", "cache_write_1h": "4"},
            "tiers": {"priority": {"input": "4", "output": "16"},
                      "ultrafast": {"input": "12", "output": "48"},
                      "flex": {"input": "1", "output": "4"},
                      "batch": {"input": "1", "output": "4"}},
            "contexts": [{"input_above": 200000,
                          "rates": {"input": "4", "output": "12",
                                    "cache_read": "0.4",
                                    "cache_write": "5"}}],
            "off_peak": {"windows": [{"hours": ["16:30-00:30"]}],
                         "rates": {"input": "1", "output": "4"}},
            "units": {"web_search_medium": "0.01"}}}}
SECOND = {"llmlab_second_source": 1, "source": "them", "date": "2026-08-21",
          "models": {"m": {"input": "2", "output": "8"}}}
REVIEWED = {"llmlab_reviewed": 1, "reviewed": []}
TWOFOLD = "differs more than twofold from the second source"


def put(tree, path, value):
    for name in path[:-1]:
        tree = tree[name]
    tree[path[-1]] = value


class Compiler(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_on(self, prices, reviewed=REVIEWED, second=SECOND):
        paths = []
        for name, tree in (("prices", prices), ("reviewed", reviewed),
                           ("second", second)):
            paths.append(self.folder / f"{name}.json")
            paths[-1].write_text(json.dumps(tree))
        out = self.folder / "table.c"
        out.unlink(missing_ok=True)
        done = subprocess.run(
            [COMPILER, out, self.folder / "report",
             SOURCE / "providers.json", *paths],
            capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode == 0, out.exists())
        return done

    def refused(self, done, message):
        self.assertEqual(done.returncode, 1)
        self.assertIn(message, done.stderr)

    def test_a_sound_table_is_compiled(self):
        done = self.run_on(SOUND)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_each_check(self):
        cases = (
            (("rates", "input"), "1001", "input: is above 0.001 USD a token"),
            (("rates", "output"), "1001",
             "output: is above 0.001 USD a token"),
            (("rates", "cache_read"), "2.1",
             "cache_read: is dearer than input"),
            (("rates", "cache_write"), "2.4",
             "cache_write: is not 1x, 1.25x or 2x input"),
            (("rates", "cache_write"), "0.2",
             "cache_write: is not 1x, 1.25x or 2x input"),
            (("rates", "cache_write_1h"), "2.5",
             "cache_write_1h: is not 2x input"),
            (("tiers", "priority", "input"), "1.9",
             "input: priority is not 1x to 3x"),
            (("tiers", "priority", "output"), "25",
             "output: priority is not 1x to 3x"),
            (("tiers", "ultrafast", "input"), "13",
             "input: ultrafast is not 1x to 6x"),
            (("tiers", "flex", "input"), "2", "input: flex is not about half"),
            (("tiers", "flex", "output"), "1",
             "output: flex is not about half"),
            (("tiers", "batch", "input"), "0.5",
             "input: batch is not about half"),
            (("tiers", "batch", "output"), "8",
             "output: batch is not about half"),
            (("contexts", 0, "rates", "input"), "1.9",
             "input: a context tier is cheaper than the base"),
            (("contexts", 0, "rates", "output"), "7",
             "output: a context tier is cheaper than the base"),
            (("contexts", 0, "rates"), {"input": "4"},
             "input: its context tier has no output rate"),
            (("contexts", 0, "rates", "cache_read"), "4.1",
             "cache_read: is dearer than input"),
            (("contexts", 0, "rates", "cache_write"), "2.5",
             "cache_write: is not 1x, 1.25x or 2x input"),
            (("off_peak", "rates", "input"), "2.1",
             "input: off-peak is dearer than peak"),
            (("units", "web_search_medium"), "11",
             "web_search_medium: is above 10 USD"),
            (("rates", "output"), "17", "output: " + TWOFOLD),
            (("rates", "output"), "3.9", "output: " + TWOFOLD),
        )
        for path, value, message in cases:
            with self.subTest(path=path, value=value):
                prices = copy.deepcopy(SOUND)
                put(prices["models"]["m"], path, value)
                self.refused(self.run_on(prices), "m: " + message)

    def test_twofold_is_the_bound(self):
        for usd in ("16", "4"):
            second = copy.deepcopy(SECOND)
            second["models"]["m"]["output"] = usd
            self.assertEqual(self.run_on(SOUND, second=second).returncode, 0)

    def test_an_older_price_may_be_the_second_sources(self):
        prices = copy.deepcopy(SOUND)
        row = prices["models"]["m"]
        prices["models"]["m"] = {
            "provider": "openai", "source": "us", "checked": "2026-08-21",
            "prices": [{"rates": {"input": "9", "output": "90"}},
                       {"from": "2026-08-01", "rates": row["rates"]}]}
        self.assertEqual(self.run_on(prices).returncode, 0)
        second = copy.deepcopy(SECOND)
        second["models"]["m"] = {"input": "9", "output": "90"}
        self.assertEqual(self.run_on(prices, second=second).returncode, 0)

    def test_reviews(self):
        prices = copy.deepcopy(SOUND)
        prices["models"]["m"]["rates"]["output"] = "17"
        row = {"model": "m", "rate": "output", "fault": TWOFOLD, "why": "so"}
        more = {"llmlab_reviewed": 1, "reviewed": [row]}
        second = copy.deepcopy(SECOND)
        for tier in ("tiers", "contexts", "off_peak"):
            del prices["models"]["m"][tier]
        self.refused(self.run_on(prices), TWOFOLD)
        self.assertEqual(self.run_on(prices, more).returncode, 0)
        # A review is of one model, rate and fault, says why, and is needed.
        for name, value in (("model", "n"), ("rate", "input"),
                            ("fault", "is odd")):
            other = {"llmlab_reviewed": 1, "reviewed": [{**row, name: value}]}
            done = self.run_on(prices, other)
            self.refused(done, "m: output: " + TWOFOLD)
            self.refused(done, "reviewed for nothing")
        self.refused(self.run_on(SOUND, more), "reviewed for nothing")
        self.refused(self.run_on(prices, {
            "llmlab_reviewed": 1, "reviewed": [{**row, "why": ""}]}),
            "not said why")
        second["models"]["unknown"] = {"input": "1"}
        self.refused(self.run_on(SOUND, second=second),
                     "a model that the table lacks")
        for broken in ({}, [], {"llmlab_second_source": 2, "models": {}},
                       {"llmlab_second_source": 1,
                        "models": {"m": {"input": "x"}}},
                       {"llmlab_second_source": 1,
                        "models": {"m": {"inputs": "1"}}}):
            self.assertEqual(self.run_on(SOUND, second=broken).returncode, 1)
        self.assertEqual(self.run_on(SOUND, {}).returncode, 1)

    def test_the_tables_own_rows(self):
        """A tenth of a price, or ten times it, never gets through where two
        sources know it."""
        def load(name):
            return json.loads((SOURCE / name).read_text())

        prices, second, reviewed = (load(name) for name in (
            "prices.json", "second_source.json", "reviewed.json"))
        self.assertEqual(
            self.run_on(prices, reviewed, second).returncode, 0)
        self.assertGreater(len(second["models"]), 300)
        for model, rate, usd in (("gpt-4o", "output", "1"),
                                 ("gpt-4o", "output", "100"),
                                 ("mistral/codestral-2508", "input", "3"),
                                 ("claude-opus-4-5", "cache_read", "0.05")):
            mutated = copy.deepcopy(prices)
            row = mutated["models"][model]
            self.assertIn(rate, second["models"].get(model, {}), model)
            put(row, ("rates", rate), usd)
            self.refused(self.run_on(mutated, reviewed, second),
                         f"{model}: {rate}: {TWOFOLD}")


if __name__ == "__main__":
    unittest.main()
