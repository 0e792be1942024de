"""The main job: ./dev run --once, by the command that does the work."""
import decimal
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

sys.path.insert(0, os.path.join(os.environ["LLMLAB_SOURCE_DIR"],
                                "tests", "support"))
import e2e  # noqa: E402


class Demo(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.env = {"TMPDIR": self.folder.name}

    def test_once(self):
        result = e2e.llmlab("demo", "--once", e2e.FIXTURES, env=self.env)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        self.assertEqual(result.stderr, b"")
        for heading in (b"By provider and model", b"By day",
                        b"Dearest traces", b"Calls without a price"):
            self.assertIn(heading, result.stdout)
        self.assertEqual(os.listdir(self.folder.name), [])

    def test_json(self):
        result = e2e.llmlab("demo", "--once", "--json", e2e.FIXTURES,
                            env=self.env)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        answer = json.loads(result.stdout)  # and nothing else there
        self.assertEqual(answer["calls"], answer["stored"])
        self.assertGreater(answer["calls"], answer["model_calls"])
        self.assertEqual(
            sum(decimal.Decimal(m["cost_usd"]) for m in answer["by_model"]),
            decimal.Decimal(answer["total_cost_usd"]))
        self.assertEqual(sum(m["calls"] for m in answer["by_model"]),
                         answer["model_calls"])
        self.assertGreaterEqual(len(answer["by_model"]), 5)

    def test_serves_until_ctrl_c(self):
        demo = subprocess.Popen(
            [e2e.LLMLAB, "demo", str(e2e.FIXTURES)], stdout=subprocess.PIPE,
            env={**e2e.ENVIRONMENT, **self.env})
        self.addCleanup(demo.stdout.close)
        found = {}
        for line in demo.stdout:
            name, _, value = line.decode().strip().partition("=")
            found[name] = value
            if line.startswith(b"Serving"):
                break
        request = urllib.request.Request(
            found["LLMLAB_URL"] + "/v1/projects/-/costs",
            headers={"Authorization": f"Bearer {found['LLMLAB_API_KEY']}"})
        with urllib.request.urlopen(request, timeout=10) as reply:
            self.assertGreater(json.load(reply)["total"]["spans"], 0)
        time.sleep(0.5)
        self.assertIsNone(demo.poll())
        demo.send_signal(signal.SIGINT)
        self.assertEqual(demo.wait(20), 0)
        self.assertEqual(os.listdir(self.folder.name), [])
        with self.assertRaises(OSError):
            urllib.request.urlopen(request, timeout=5)

    def test_what_is_not_there(self):
        result = e2e.llmlab("demo", "--once", "/nonexistent", env=self.env)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"/nonexistent", result.stderr)
        self.assertEqual(os.listdir(self.folder.name), [])
        self.assertEqual(e2e.llmlab("demo").returncode, 2)
        result = e2e.llmlab("demo", "--once", e2e.FIXTURES,
                            env={"TMPDIR": "/nonexistent"})
        self.assertEqual(result.returncode, 1)


if __name__ == "__main__":
    unittest.main()
