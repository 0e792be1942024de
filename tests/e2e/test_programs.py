"""Programs that link libllmlab, with the real server behind them."""
import ctypes
import os
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.environ["LLMLAB_SOURCE_DIR"],
                                "tests", "support"))
import e2e  # noqa: E402

LIBRARY = e2e.BUILD / "lib" / "libllmlab.so"
SANITIZED = b"LLMLAB_SANITIZE:STRING=\n" not in (
    e2e.BUILD / "CMakeCache.txt").read_bytes()


class Programs(unittest.TestCase):
    def setUp(self):
        self.server = e2e.Server()
        self.addCleanup(self.server.close)

    def run_example(self, name):
        """The traces that it left, by name."""
        result = subprocess.run(
            [e2e.BUILD / "examples" / name], capture_output=True, timeout=60,
            env={**e2e.ENVIRONMENT, **self.server.env})
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        self.assertEqual(result.stderr, b"")
        return {trace["name"]: self.server.get("traces/" + trace["trace_id"])
                for trace in self.server.get("traces?limit=1000")["data"]}

    def test_hello(self):
        trace = self.run_example("01_hello")["answer_question"]
        self.assertEqual(trace["cost_usd"], "0.0001512")
        step, = trace["tree"][0]["children"]
        self.assertEqual((step["name"], step["type"], step["model"]),
                         ("answer", "llm_call", "gpt-4o-mini-2024-07-18"))
        self.assertEqual(step["usage"]["cache_read_tokens"], 1024)
        self.assertEqual((step["match"], step["pricing"]), ("exact", "priced"))

    def test_nested(self):
        trace = self.run_example("02_nested_spans")["research"]
        self.assertEqual(trace["status"], "error")
        self.assertEqual([trace["steps"], trace["calls"], trace["errors"]],
                         [5, 2, 2])
        root, = trace["tree"]
        self.assertEqual(
            [(s["name"], s["status"]) for s in root["children"]],
            [("search", "error"), ("search", "success"), ("answer", "error"),
             ("answer", "success")])
        # What was set on the run belongs to the steps begun after it.
        for step in root["children"]:
            self.assertEqual((step["user"], step["tags"]),
                             ("u-17", ["production"]))

    def test_threads(self):
        trace = self.run_example("05_threads")["summarize"]
        root, = trace["tree"]
        self.assertEqual(sorted(s["attributes"]["part"]
                                for s in root["children"]), [0, 1, 2, 3])
        for part in root["children"]:
            self.assertEqual([s["name"] for s in part["children"]],
                             ["answer"])

    def test_processes(self):
        """Four processes, one trace."""
        traces = self.run_example("06_fork_server")
        self.assertEqual(list(traces), ["serve"])
        root, = traces["serve"]["tree"]
        self.assertEqual(sorted(s["attributes"]["request"]
                                for s in root["children"]), [0, 1, 2])

    def test_cpp(self):
        trace = self.run_example("09_cpp")["answer_question"]
        names = [(s["name"], s["status"])
                 for s in trace["tree"][0]["children"]]
        self.assertEqual(names, [("answer", "error"), ("answer", "success"),
                                 ("log", "success")])

    def test_every_example_against_the_server(self):
        for program in sorted((e2e.BUILD / "examples").iterdir()):
            if program.name[0].isdigit() and os.access(program, os.X_OK):
                self.run_example(program.name)
        self.assertEqual(self.server.total()["unpriced_calls"], 0)


@unittest.skipIf(SANITIZED, "a sanitized library cannot be loaded here")
class Live(unittest.TestCase):
    """The library inside a process that goes on."""

    def setUp(self):
        self.server = e2e.Server()
        self.addCleanup(self.server.close)
        self.library = ctypes.CDLL(str(LIBRARY))
        for name in ("llmlab_config_new", "llmlab_span_start"):
            getattr(self.library, name).restype = ctypes.c_void_p

    def open(self, **settings):
        config = ctypes.c_void_p(self.library.llmlab_config_new())
        client = ctypes.c_void_p()
        for name, value in {"url": self.server.url,
                            "api_key": self.server.key, **settings}.items():
            self.assertEqual(self.library.llmlab_config_set(
                config, name.replace("__", ".").encode(), value.encode()), 0)
        self.assertEqual(self.library.llmlab_client_open(
            ctypes.byref(client), config), 0)
        self.library.llmlab_config_destroy(config)
        self.addCleanup(self.library.llmlab_client_close, client,
                        ctypes.c_int64(5000))
        return client

    def record(self, client, name):
        self.library.llmlab_span_end(ctypes.c_void_p(
            self.library.llmlab_span_start(client, None, name, 1)))

    def wait_for_spans(self, count, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.server.total()["spans"] >= count:
                return True
            time.sleep(0.05)
        return False

    def test_live_is_within_two_seconds(self):
        client = self.open(live="true")
        for i in range(3):
            self.record(client, b"run")
            self.assertTrue(self.wait_for_spans(i + 1, 2.5))

    def test_hundred_calls_go_at_once(self):
        client = self.open()
        for _ in range(99):
            self.record(client, b"run")
        self.assertFalse(self.wait_for_spans(1, 1.5))
        self.record(client, b"run")
        self.assertTrue(self.wait_for_spans(100, 2))

    def test_null_handles(self):
        for name in ("span_end", "span_discard", "span_add_tag",
                     "span_set_error", "span_set_response", "client_flush",
                     "client_stats", "client_enabled", "record_call",
                     "span_traceparent", "context_attach", "span_client"):
            getattr(self.library, "llmlab_" + name)(None, None, None, None,
                                                    None)
        self.assertEqual(self.library.llmlab_client_close(
            None, ctypes.c_int64(0)), 0)

    def test_age(self):
        client = self.open(batch__max_age_ms="300")
        self.record(client, b"run")
        self.assertTrue(self.wait_for_spans(1, 2))


if __name__ == "__main__":
    unittest.main()
