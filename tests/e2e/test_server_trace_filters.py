#!/usr/bin/env python3
"""Which traces a list shows: each filter, alone and together, in both orders,
with pages while others come.

llmlab-test: threads timeout=300
"""

import decimal
import json
import os
import random
import subprocess
import time
import urllib.parse

import serving
from serving import Base, Sender, new_trace, rfc3339


class Filters(Base):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        random.seed(7)
        cls.traces = {}
        now = time.time_ns() - 2 * 3600 * 10**9
        for i in range(90):
            sender, trace = Sender(), new_trace()
            step = sender.step(
                start=rfc3339(now + i * 10**9), name="n%d" % (i % 3),
                agent="a%d" % (i % 4), user="u%d" % (i % 5),
                session="s%d" % (i % 6), tags=["t%d" % (i % 2), "x"],
                status=("success", "error", "cancelled")[i % 7 % 3],
                latency_ms=10 * i,
                model=("gpt-4o-mini", "gpt-4o", "nobody-knows")[i % 3],
                usage={"input_tokens": 1000 * i + 1, "output_tokens": 1})
            batch = sender.batch([step], trace)
            batch["sdk"]["environment"] = "e%d" % (i % 2)
            status, reply = cls.server.post(cls.key, batch)
            assert (status, reply["accepted"]) == (200, 1), reply
            cls.traces[trace] = i
        scores = [{"trace_id": t, "name": "q%d" % (i % 2), "value": i / 10}
                  for t, i in cls.traces.items() if i % 3]
        status, _, reply = cls.server.request(
            "POST", "/v1/projects/-/scores", cls.key,
            json.dumps({"scores": scores}),
            {"Content-Type": "application/json"})
        assert status == 200, reply
        status, page = cls.server.get(cls.read, "traces?limit=1000")
        cls.rows = {row["trace_id"]: row for row in page["data"]}
        assert len(cls.rows) == 90

    def ask(self, query, limit=1000):
        rows, cursor = [], {}
        while True:
            status, page = self.server.get(
                self.read, "traces?" + urllib.parse.urlencode(
                    dict(query, limit=limit, **cursor)))
            self.assertEqual(status, 200, page)
            rows += page["data"]
            if page["next_cursor"] is None:
                return rows
            cursor = {"cursor": page["next_cursor"]}

    def test_filters(self):
        def money(trace):
            return decimal.Decimal(self.rows[trace]["cost_usd"])

        some = sorted(money(t) for t in self.rows)[60]
        cases = [
            ({"status": "error"}, lambda i, t: i % 7 % 3 == 1),
            ({"name": "n1"}, lambda i, t: i % 3 == 1),
            ({"tag": "t1"}, lambda i, t: i % 2 == 1),
            ({"tag": "x"}, lambda i, t: True),
            ({"tag": "no"}, lambda i, t: False),
            ({"agent": "a2"}, lambda i, t: i % 4 == 2),
            ({"user": "u3"}, lambda i, t: i % 5 == 3),
            ({"session": "s5"}, lambda i, t: i % 6 == 5),
            ({"environment": "e1"}, lambda i, t: i % 2 == 1),
            ({"model": "gpt-4o"}, lambda i, t: i % 3 == 1),
            ({"unpriced": "true"},
             lambda i, t: self.rows[t]["unpriced_calls"] > 0),
            ({"unpriced": "false"}, lambda i, t: True),
            ({"errors": "true"}, lambda i, t: self.rows[t]["errors"] > 0),
            ({"min_cost_usd": str(some)}, lambda i, t: money(t) >= some),
            ({"min_cost_usd": "0"}, lambda i, t: True),
            ({"min_duration_ms": "500"}, lambda i, t: 10 * i >= 500),
            ({"score": "q1"}, lambda i, t: i % 3 and i % 2 == 1),
            ({"min_score": "4.0"}, lambda i, t: i % 3 and i / 10 >= 4),
            ({"score": "q0", "min_score": "2", "max_score": "5"},
             lambda i, t: i % 3 and i % 2 == 0 and 2 <= i / 10 <= 5),
            ({"max_score": "-1"}, lambda i, t: False),
        ]
        self.assertTrue(any(self.rows[t]["unpriced_calls"]
                            for t in self.rows))
        for _ in range(40):  # and together
            one, two = random.sample(cases[:-4], 2)
            cases.append(({**one[0], **two[0]}, lambda i, t, a=one, b=two:
                          a[1](i, t) and b[1](i, t))
                         if not set(one[0]) & set(two[0]) else one)
        for query, wanted in cases:
            expected = {t for t, i in self.traces.items() if wanted(i, t)}
            for order in ("start", "cost"):
                for limit in (1000, 7):
                    rows = self.ask(dict(query, order_by=order), limit)
                    got = [row["trace_id"] for row in rows]
                    self.assertEqual(len(got), len(set(got)))
                    self.assertEqual(set(got), expected, (query, order))
                    key = ((lambda r: r["start"]) if order == "start" else
                           (lambda r: decimal.Decimal(r["cost_usd"])))
                    values = [key(row) for row in rows]
                    self.assertEqual(values, sorted(values, reverse=True))

    def test_bad_values(self):
        for query in ("status=bad", "min_cost_usd=-1", "min_cost_usd=x",
                      "min_cost_usd=", "min_cost_usd=1e400",
                      "min_duration_ms=-1", "min_duration_ms=1.5",
                      "unpriced=1", "errors=yes", "min_score=a",
                      "max_score=", "min_score=1x", "min_score=nan",
                      "order_by=name", "limit=1001", "cursor=1"):
            self.refused(400, "bad-parameter", self.server.get(
                self.read, "traces?" + query))

    def test_the_command(self):
        env = dict(os.environ, LLMLAB_API_KEY=self.admin, LLMLAB_URL=
                   "http://127.0.0.1:%d" % self.server.port)

        def llmlab(*arguments, code=0):
            result = subprocess.run(
                [os.path.join(os.path.dirname(serving.SERVER), "llmlab"), *arguments], env=env, text=True,
                capture_output=True, timeout=30)
            self.assertEqual(result.returncode, code, result.stderr)
            return result.stdout

        trace = next(iter(self.traces))
        made = llmlab("scores", "add", trace, "cli", "0.25", "--source", "me",
                      "--comment", "so so", "--id", "c1").strip()
        self.assertEqual(made, "c1")
        llmlab("scores", "add", trace, "cli", "true")
        llmlab("scores", "add", trace, "cli", "fine")
        rows = [json.loads(line) for line in llmlab(
            "scores", "--name", "cli", "--json").splitlines()]
        self.assertEqual([row["value"] for row in rows],
                         ["fine", True, 0.25])
        self.assertIn("so so", llmlab("scores", "--trace", trace))
        self.assertIn("cli", llmlab("scores", "summary"))
        self.assertEqual(llmlab("scores", "delete", "c1"), "deleted\n")
        llmlab("scores", "delete", "c1", code=1)
        llmlab("scores", "add", trace, code=2)
        got = json.loads(llmlab("traces", "--name", "n1", "--tag", "t1",
                                "--min-cost", "0.001", "--json"))
        self.assertTrue(got["data"])


if __name__ == "__main__":
    serving.main()
