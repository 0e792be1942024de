"""Every batch of a replay follows docs/wire.schema.json."""
import json
import os
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.environ["LLMLAB_SOURCE_DIR"],
                                "tests", "support"))
import e2e  # noqa: E402
import schema  # noqa: E402

SCHEMA = e2e.SOURCE / "docs" / "wire.schema.json"


class Wire(unittest.TestCase):
    def batches(self, path, *options, **env):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "batches.jsonl"
            result = e2e.llmlab(
                "replay", "--json", path, *options,
                env={"LLMLAB_EXPORTER": "file",
                     "LLMLAB_EXPORTER_FILE": str(file), **env})
            self.assertEqual(result.returncode, 0, result.stderr.decode())
            summary = json.loads(result.stdout)
            return summary, [json.loads(line) for line in
                             file.read_text(encoding="utf-8").splitlines()]

    def check(self, path, *options, **env):
        summary, batches = self.batches(path, *options, **env)
        checker = schema.Schema(SCHEMA)
        numbers = []
        for batch in batches:
            checker.check(batch)
            mine = [step["n"] for trace in batch["traces"]
                    for step in trace["steps"]]
            for row in batch["batch"].get("unsampled") or []:
                for first, last in row["n"]:
                    mine.extend(range(first, last + 1))
            # A batch speaks for exactly the numbers that it states.
            first = batch["batch"]["first"]
            self.assertEqual(sorted(mine), list(range(
                first, first + batch["batch"]["count"])))
            numbers.extend(mine)
        self.assertEqual(sorted(numbers),
                         list(range(1, summary["attempted"] + 1)))
        self.check_with_jsonschema(batches)
        return summary, batches

    def check_with_jsonschema(self, batches):
        """The same by an independent validator, where there is one."""
        try:
            import jsonschema
        except ImportError:
            e2e.skip("test_wire (jsonschema)", "jsonschema is not installed")
            return
        validator = jsonschema.Draft202012Validator(
            json.loads(SCHEMA.read_text()))
        for batch in batches[:3]:
            validator.validate(batch)

    def test_fixtures(self):
        self.check(e2e.FIXTURES, LLMLAB_SERVICE="s", LLMLAB_ENVIRONMENT="e",
                   LLMLAB_RELEASE="1.2.3")

    def test_unsampled(self):
        summary, batches = self.check(e2e.FIXTURES, LLMLAB_SAMPLE_RATE="0.3")
        rows = [row for batch in batches
                for row in batch["batch"].get("unsampled") or []]
        self.assertGreater(len(rows), 0)
        self.assertGreater(sum(len(t["steps"]) for b in batches
                               for t in b["traces"]), 0)
        self.assertEqual(summary["delivered"], summary["attempted"])

    def test_recorded_replies(self):
        if not (e2e.SHARED / "responses").exists():
            e2e.skip("test_wire", "../shared/data is not here")
            self.skipTest("../shared/data is not here")
        self.check(e2e.SHARED / "responses")

    def test_the_checker_checks(self):
        _, batches = self.batches(e2e.FIXTURES)
        checker = schema.Schema(SCHEMA)
        step = batches[0]["traces"][0]["steps"][0]
        for name, bad in (("span_id", "xyz"), ("n", 0), ("type", "thing"),
                          ("latency_ms", -1), ("start", "yesterday"),
                          ("cost", 0.5), ("usage", {"input_tokens": "7"})):
            good = step.get(name)
            step[name] = bad
            with self.assertRaises(schema.Invalid, msg=name):
                checker.check(batches[0])
            step[name] = good
        checker.check(batches[0])


if __name__ == "__main__":
    unittest.main()
