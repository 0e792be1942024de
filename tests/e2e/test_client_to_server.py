"""The library against a real server: a search's size changes what both compute,
and a score is stored."""
import ctypes
import decimal
import json
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.environ["LLMLAB_SOURCE_DIR"],
                                "tests", "e2e"))
sys.path.insert(0, os.path.join(os.environ["LLMLAB_SOURCE_DIR"],
                                "tests", "support"))
import e2e  # noqa: E402
import serving  # noqa: E402

if "LLMLAB_SANITIZE:STRING=\n" not in (
        e2e.BUILD / "CMakeCache.txt").read_text():
    e2e.skip("test_client_to_server",
             "Python cannot load a sanitizer's library")
    sys.exit(77)

P, TEXT = ctypes.c_void_p, ctypes.c_char_p
LIB = ctypes.CDLL(str(e2e.BUILD / "lib" / "libllmlab.so"))
for name, result, arguments in (
        ("config_new", P, ()),
        ("config_set", ctypes.c_int, (P, TEXT, TEXT)),
        ("config_destroy", None, (P,)),
        ("client_open", ctypes.c_int, (P, P)),
        ("client_flush", ctypes.c_int, (P, ctypes.c_int64, P)),
        ("client_close", ctypes.c_int, (P, ctypes.c_int64)),
        ("client_stats_json", ctypes.c_int, (P, P, P)),
        ("span_start", P, (P, P, TEXT, ctypes.c_int)),
        ("span_set_model", ctypes.c_int, (P, TEXT, TEXT)),
        ("span_set_usage", ctypes.c_int, (P, P)),
        ("span_set_search_context", ctypes.c_int, (P, TEXT)),
        ("span_ids", ctypes.c_int, (P, P, P)),
        ("span_end", ctypes.c_int, (P,)),
        ("record_score", ctypes.c_int, (P, P)),
        ("usage_set", None, (P, ctypes.c_int, ctypes.c_uint64)),
        ("free", None, (P,))):
    function = getattr(LIB, "llmlab_" + name)
    function.restype, function.argtypes = result, arguments


class Text(ctypes.Structure):
    _fields_ = [("data", TEXT), ("size", ctypes.c_size_t)]

    def __init__(self, text=b""):
        super().__init__(text, len(text))


class Score(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("trace_id", Text),
                ("span_id", Text), ("name", Text), ("type", ctypes.c_int),
                ("value", ctypes.c_double), ("label", Text), ("source", Text),
                ("version", Text), ("comment", Text),
                ("at_ns", ctypes.c_int64)]


class ClientToServer(serving.Base):
    def setUp(self):
        self.client = P()
        config = LIB.llmlab_config_new()
        for name, value in (
                ("url", f"http://127.0.0.1:{self.server.port}"),
                ("api_key", self.key), ("capture.content", "full")):
            self.assertEqual(LIB.llmlab_config_set(
                config, name.encode(), value.encode()), 0)
        self.assertEqual(LIB.llmlab_client_open(
            ctypes.byref(self.client), config), 0)
        LIB.llmlab_config_destroy(config)
        self.addCleanup(LIB.llmlab_client_close, self.client, 1000)

    def call(self, size):
        usage = ctypes.create_string_buffer(8 * 49)
        ids = ctypes.create_string_buffer(33), ctypes.create_string_buffer(17)
        LIB.llmlab_usage_set(usage, 0, 5)
        LIB.llmlab_usage_set(usage, 1, 1)
        span = LIB.llmlab_span_start(self.client, None, b"ask", 2)
        LIB.llmlab_span_set_model(span, b"perplexity", b"sonar")
        LIB.llmlab_span_set_usage(span, usage)
        LIB.llmlab_span_set_search_context(span, size)
        LIB.llmlab_span_ids(span, *ids)
        LIB.llmlab_span_end(span)
        self.assertEqual(LIB.llmlab_client_flush(self.client, 5000, None), 0)
        return [text.value.decode() for text in ids]

    def cost(self):
        text = ctypes.c_char_p()
        LIB.llmlab_client_stats_json(self.client, ctypes.byref(text), None)
        stats = json.loads(text.value)
        LIB.llmlab_free(text)
        return stats["cost"]

    def test_a_search_costs_the_same_on_both_sides(self):
        before = decimal.Decimal(self.total()["cost_usd"])
        for size, usd in ((b"low", "0.005006"), (b"medium", "0.008006"),
                          (b"high", "0.012006")):
            trace, _ = self.call(size)
            status, detail = self.server.get(self.read, "traces/" + trace)
            self.assertEqual(status, 200, detail)
            self.assertIn(usd, json.dumps(detail))
        self.assertEqual(decimal.Decimal(self.total()["cost_usd"]) - before,
                         decimal.Decimal("0.025018"))
        self.assertEqual(self.cost(), "0.025018")

    def test_a_score_is_stored(self):
        trace, span = self.call(b"low")
        score = Score(ctypes.sizeof(Score), Text(trace.encode()),
                      Text(span.encode()), Text(b"helpful"), 2, 1.0, Text(),
                      Text(b"user"), Text(b"7"), Text(b"it was"), 0)
        self.assertEqual(LIB.llmlab_record_score(
            self.client, ctypes.byref(score)), 0)
        self.assertEqual(LIB.llmlab_client_flush(self.client, 5000, None), 0)
        path = os.path.join(self.server.folder, "llmlab.db")
        with sqlite3.connect(path) as store:
            rows = store.execute(
                "SELECT name, value, label, source, version, comment, "
                "printf('%016x', span_id) FROM score").fetchall()
        self.assertEqual(rows, [("helpful", 1.0, "true", "user", "7",
                                 "it was", span)])


if __name__ == "__main__":
    serving.main()
