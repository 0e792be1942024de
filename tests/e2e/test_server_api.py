#!/usr/bin/env python3
"""Drives the real llmlab-server over HTTP: the happy path, and every bad input
that a client or a stranger may send.

llmlab-test: threads timeout=300
"""

import concurrent.futures
import datetime
import decimal
import gzip
import http.client
import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import uuid
import zlib

BUILD = os.environ.get("LLMLAB_BUILD_DIR", "build")
SERVER = os.path.join(BUILD, "bin", "llmlab-server")


def rfc3339(ns):
    seconds, rest = divmod(ns, 10**9)
    when = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return when.strftime("%Y-%m-%dT%H:%M:%S") + ".%09dZ" % rest


class Server:
    """One process on a folder; may be stopped, killed and started again."""

    def __init__(self, folder, *options):
        self.folder = folder
        self.options = options
        self.process = None

    def start(self, file_limit=None):
        port_file = os.path.join(self.folder, "port")
        if os.path.exists(port_file):
            os.unlink(port_file)
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen(
            [SERVER, "--data", self.folder, "--listen", "127.0.0.1:0",
             "--metrics-listen", "127.0.0.1:0", "--port-file", port_file,
             "--log-level", "debug", *self.options],
            stdout=subprocess.PIPE, stderr=self.log, text=True,
            preexec_fn=file_limit and (lambda: limit_files(file_limit)))
        line = self.process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), line
        self.port = int(line.rsplit(":", 1)[1])
        self.metrics_port = int(
            self.process.stdout.readline().split(":")[2].split("/")[0])
        with open(port_file) as file:
            assert int(file.read()) == self.port
        return self

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return None
        self.process.send_signal(how)
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        self.log.close()
        self.process = None
        return code

    def key(self, project, scope):
        return subprocess.run(
            [SERVER, "key", "create", "--data", self.folder, "--project",
             project, "--scope", scope], check=True, capture_output=True,
            text=True).stdout.strip()

    def request(self, method, path, key=None, body=None, headers=None,
                port=None):
        connection = http.client.HTTPConnection("127.0.0.1",
                                                port or self.port, timeout=30)
        sent = dict(headers or {})
        if key is not None:
            sent["Authorization"] = "Bearer " + key
        try:
            connection.request(method, path, body, sent)
            reply = connection.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read()
        finally:
            connection.close()

    def post(self, key, batch, project="-", raw=False, **headers):
        body = batch if raw else gzip.compress(json.dumps(batch).encode(), 1)
        sent = {"Content-Type": "application/json"}
        if not raw:
            sent["Content-Encoding"] = "gzip"
        sent.update({k.replace("_", "-"): v for k, v in headers.items()})
        status, _, reply = self.request(
            "POST", "/v1/projects/%s/traces" % project, key, body, sent)
        return status, json.loads(reply)

    def get(self, key, path, project="-"):
        status, _, reply = self.request(
            "GET", "/v1/projects/%s/%s" % (project, path), key)
        return status, json.loads(reply)


def limit_files(size):
    """Stands for a full disk: no file grows beyond size."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


class Sender:
    """A client: numbers its records as libllmlab does."""

    def __init__(self):
        self.instance = str(uuid.uuid4())
        self.next = 1

    def step(self, **members):
        step = {"span_id": "%016x" % random.getrandbits(64), "parent_id": None,
                "n": self.next, "type": "llm_call", "name": "answer",
                "status": "success", "start": rfc3339(time.time_ns()),
                "latency_ms": 12.5, "provider": "openai",
                "model": "gpt-4o-mini",
                "usage": {"input_tokens": 1000, "output_tokens": 100}}
        step.update(members)
        self.next += 1
        return {k: v for k, v in step.items() if v is not ...}

    def batch(self, steps, trace_id=None, first=None, count=None, **trace):
        numbers = [s["n"] for s in steps if isinstance(s.get("n"), int)]
        first = first or min(numbers)
        count = count or max(numbers) - first + 1
        return {"schema": 1,
                "sdk": {"name": "test", "version": "1", "service": "s",
                        "instance": self.instance, "environment": "test"},
                "batch": {"first": first, "count": count,
                          "sent_at": rfc3339(time.time_ns()),
                          "totals": {"accepted": first + count - 1,
                                     "delivered": 0, "rejected": 0,
                                     "dropped": {}},
                          "unsampled": []},
                "traces": [dict(trace, trace_id=trace_id or new_trace(),
                                steps=steps)] if steps else []}


def new_trace():
    return "%032x" % random.getrandbits(128)


class Base(unittest.TestCase):
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="llmlab-server-")
        cls.server = Server(cls.temporary.name, *cls.options)
        cls.key = cls.server.key("one", "ingest")
        cls.read = cls.server.key("one", "read")
        cls.admin = cls.server.key("one", "admin")
        cls.other = cls.server.key("two", "ingest")
        cls.other_read = cls.server.key("two", "read")
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        with open(os.path.join(cls.server.folder, "log")) as log:
            text = log.read()
        cls.temporary.cleanup()
        for line in text.splitlines():
            json.loads(line)
        assert "llmlab_sk_" not in text, "a key is in the log"
        assert code == 0, (code, text[-4000:])

    def total(self, key=None):
        status, costs = self.server.get(key or self.read, "costs")
        self.assertEqual(status, 200, costs)
        return costs["total"]

    def accept(self, batch, key=None, accepted=None, duplicate=0, rejected=0):
        status, reply = self.server.post(key or self.key, batch)
        self.assertEqual(status, 200, reply)
        if accepted is not None:
            self.assertEqual(
                (reply["accepted"], reply["duplicate"],
                 len(reply["rejected"])), (accepted, duplicate, rejected),
                reply)
        return reply

    def refused(self, status, word, reply):
        self.assertEqual(reply[0], status, reply)
        problem = reply[1]
        self.assertEqual(problem["type"], "urn:llmlab:problem:" + word)
        self.assertEqual(problem["status"], status)
        self.assertTrue(problem["title"] and problem["detail"])
        return problem


class HappyPath(Base):
    def test_stores_prices_and_answers(self):
        sender = Sender()
        trace = new_trace()
        root = "00000000000000aa"
        start = rfc3339(time.time_ns())
        steps = [
            sender.step(parent_id=root, start=start, usage={
                "input_tokens": 1200, "cache_read_tokens": 1024,
                "output_tokens": 80}, cost="0.0001512", ttft_ms=2.25,
                attributes={"k": "v"}, finish_reason="stop"),
            sender.step(parent_id=root, type="tool_call", name="search",
                        usage=..., provider=..., model=...),
            sender.step(parent_id=root, model="nobody-knows-this"),
            sender.step(span_id=root, type="agent", name="run", usage=...,
                        provider=..., model=..., start=start,
                        latency_ms=1834.200001),
        ]
        before = self.total()
        reply = self.accept(sender.batch(
            steps, trace, agent_name="bot", user="u1", session="s1",
            tags=["a", "b"]), accepted=4)
        self.assertEqual((reply["instance"], reply["first"], reply["count"]),
                         (sender.instance, 1, 4))

        after = self.total()
        self.assertEqual(after["spans"] - before["spans"], 4)
        self.assertEqual(after["calls"] - before["calls"], 2)
        self.assertEqual(after["unpriced_calls"] - before["unpriced_calls"], 1)
        spent = decimal.Decimal(after["cost_usd"]) - decimal.Decimal(
            before["cost_usd"])
        # 176 x 0.15, 1024 x 0.075, 80 x 0.6 USD a million
        self.assertEqual(spent, decimal.Decimal("0.0001512"))

        status, detail = self.server.get(self.read, "traces/" + trace)
        self.assertEqual(status, 200, detail)
        self.assertEqual(detail["cost_usd"], "0.0001512")
        self.assertEqual(detail["duration_ms"], 1834.200001)
        self.assertEqual(
            (detail["name"], detail["agent"], detail["user"],
             detail["session"], detail["tags"], detail["environment"]),
            ("run", "bot", "u1", "s1", ["a", "b"], "test"))
        self.assertEqual(len(detail["tree"]), 1)
        children = detail["tree"][0]["children"]
        self.assertEqual([c["name"] for c in children],
                         ["answer", "search", "answer"])
        self.assertEqual(children[0]["ttft_ms"], 2.25)
        self.assertEqual(children[0]["attributes"], {"k": "v"})
        self.assertEqual(children[0]["finish_reason"], "stop")
        self.assertEqual(children[2]["cost_usd"], None)
        self.assertEqual(children[2]["pricing"], "unpriced")

    def test_costs_by_group_and_day(self):
        sender = Sender()
        self.accept(sender.batch([sender.step(agent="ag", model=m)
                                  for m in ("gpt-4o", "gpt-4o-mini") * 3]),
                    accepted=6)
        status, costs = self.server.get(
            self.read, "costs?group_by=model,agent&granularity=hourly"
            "&start_date=%s" % datetime.datetime.utcnow().date())
        self.assertEqual(status, 200, costs)
        rows = [r for r in costs["data"] if r["agent"] == "ag"]
        self.assertEqual(sorted({r["model"] for r in rows}),
                         ["gpt-4o", "gpt-4o-mini"])
        self.assertEqual(sum(r["calls"] for r in rows), 6)
        money = sum(decimal.Decimal(r["cost_usd"]) for r in costs["data"])
        self.assertEqual(money, decimal.Decimal(costs["total"]["cost_usd"]))
        for tz in ("Asia/Kathmandu", "America/New_York", "+05:45", "UTC",
                   "Australia/Lord_Howe"):
            for granularity in ("total", "daily", "hourly"):
                status, zoned = self.server.get(
                    self.read, "costs?tz=%s&granularity=%s" % (
                        tz.replace("+", "%2B"), granularity))
                self.assertEqual(status, 200, zoned)
                self.assertEqual(zoned["total"], self.total(), tz)

    def test_lists_newest_first_with_a_cursor(self):
        key, read = self.other, self.other_read
        sender = Sender()
        ids = []
        for i in range(25):
            ids.append(new_trace())
            start = time.time_ns() - (25 - i) * 10**9
            self.accept(sender.batch(
                [sender.step(start=rfc3339(start), usage={
                    "input_tokens": 100 + (i * 7919) % 25,
                    "output_tokens": 1})], ids[-1]), key, accepted=1)
        seen, cursor = [], None
        while True:
            path = "traces?limit=7" + ("&cursor=" + cursor if cursor else "")
            status, page = self.server.get(read, path)
            self.assertEqual(status, 200, page)
            seen += [t["trace_id"] for t in page["data"]]
            if page["next_cursor"] is None:
                break
            cursor = page["next_cursor"]
        self.assertEqual(seen, ids[::-1])
        dear, cursor = [], None
        while True:
            path = "traces?order_by=cost&limit=4" + (
                "&cursor=" + cursor if cursor else "")
            _, page = self.server.get(read, path)
            dear += [decimal.Decimal(t["cost_usd"]) for t in page["data"]]
            if page["next_cursor"] is None:
                break
            cursor = page["next_cursor"]
        self.assertEqual(len(dear), 25)
        self.assertEqual(dear, sorted(dear, reverse=True))
        forged = cursor_flip(cursor) if cursor else "ab" * 64
        for bad in (forged, "zz", ""):
            self.refused(400, "bad-parameter",
                         self.server.get(read, "traces?cursor=" + bad))
        # Another project's cursor is no cursor here.
        _, page = self.server.get(read, "traces?limit=1")
        self.refused(400, "bad-parameter", self.server.get(
            self.read, "traces?limit=1&cursor=" + page["next_cursor"]))

    def test_filters(self):
        sender = Sender()
        good, bad = new_trace(), new_trace()
        self.accept(sender.batch([sender.step(
            agent="filter-a", user="fu", session="fs")], good))
        self.accept(sender.batch([sender.step(
            agent="filter-b", status="error", model="gpt-4.1",
            error={"type": "rate_limit", "http_status": 429})], bad))
        for query, expected in (("agent=filter-a", [good]),
                                ("agent=filter-b&status=error", [bad]),
                                ("agent=filter-b&status=success", []),
                                ("model=gpt-4.1", [bad]),
                                ("user=fu", [good]), ("session=fs", [good]),
                                ("agent=nobody", []), ("user=nobody", [])):
            status, page = self.server.get(self.read, "traces?" + query)
            self.assertEqual(status, 200, page)
            self.assertEqual([t["trace_id"] for t in page["data"]], expected,
                             query)

    def test_metrics_on_their_own_listener(self):
        port = self.server.metrics_port
        status, headers, body = self.server.request("GET", "/metrics",
                                                    port=port)
        self.assertEqual(status, 200)
        self.assertEqual(headers["Content-Type"],
                         "text/plain; version=0.0.4; charset=utf-8")
        text = body.decode()
        self.assertIn("llmlab_ingest_spans_total{result=\"stored\"}", text)
        self.assertTrue(text.endswith("\n"))
        seen = set()
        for line in text.splitlines():
            if not line.startswith("#"):
                self.assertNotIn(line.rsplit(" ", 1)[0], seen)
                seen.add(line.rsplit(" ", 1)[0])
                float(line.rsplit(" ", 1)[1])
        self.assertEqual(self.server.request("GET", "/metrics")[0], 404)
        self.assertEqual(self.server.request("GET", "/healthz",
                                             port=port)[0], 404)

    def test_health(self):
        self.assertEqual(self.server.request("GET", "/healthz")[::2],
                         (200, b"ok\n"))
        status, _, body = self.server.request("GET", "/readyz")
        self.assertEqual((status, json.loads(body)["status"]), (200, "ready"))
        self.assertEqual(self.server.request("HEAD", "/healthz")[0], 200)


def cursor_flip(cursor):
    return ("0" if cursor[0] != "0" else "1") + cursor[1:]


class Merging(Base):
    def test_late_root_and_many_batches(self):
        trace, root = new_trace(), "00000000000000b1"
        a, b = Sender(), Sender()
        self.accept(a.batch([a.step(parent_id=root, tags=["x"])], trace),
                    accepted=1)
        self.accept(b.batch([b.step(parent_id=root, status="error",
                                    tags=["y", "x"])], trace), accepted=1)
        start = time.time_ns() - 5 * 10**9
        self.accept(a.batch([a.step(
            span_id=root, type="agent", name="late", usage=...,
            provider=..., model=..., start=rfc3339(start),
            latency_ms=6000.5)], trace), accepted=1)
        _, detail = self.server.get(self.read, "traces/" + trace)
        self.assertEqual((detail["name"], detail["status"], detail["steps"],
                          detail["calls"], detail["errors"], detail["tags"]),
                         ("late", "error", 3, 2, 1, ["x", "y"]))
        self.assertEqual(detail["start"], rfc3339(start))
        self.assertEqual(len(detail["tree"]), 1)
        self.assertEqual(len(detail["tree"][0]["children"]), 2)
        # 2 x (1000 x 0.15 + 100 x 0.6) USD a million
        self.assertEqual(detail["cost_usd"], "0.00042")

    def test_a_trace_names_its_agent_later(self):
        sender, trace = Sender(), new_trace()
        self.accept(sender.batch([sender.step(), sender.step(agent="own")],
                                 trace), accepted=2)
        for restart in (False, True):
            if restart:
                self.server.stop()
                self.server.start()
                sender.instance = str(uuid.uuid4())
                self.accept(sender.batch([sender.step()], trace), accepted=1)
                self.server.stop()
                self.server.start()
            self.accept(sender.batch([sender.step(agent="own")], trace,
                                     agent_name="named-late", user="late-u",
                                     session="late-s"), accepted=1)
            _, detail = self.server.get(self.read, "traces/" + trace)
            agents = sorted(s["agent"] for s in detail["tree"])
            named = 2 if restart else 1
            self.assertEqual(agents, ["named-late"] * named + ["own"] * 2 +
                             (["own"] if restart else []))
            self.assertEqual({s["user"] for s in detail["tree"]}, {"late-u"})
            self.assertEqual({s["session"] for s in detail["tree"]},
                             {"late-s"})
            _, costs = self.server.get(self.read, "costs?group_by=agent")
            rows = {r["agent"]: r["calls"] for r in costs["data"]}
            self.assertEqual(rows["named-late"], named)

    def usage_on_leaves(self, order):
        """agent(usage) > wrapper > call(usage): only the call counts."""
        before = self.total()
        sender, trace = Sender(), new_trace()
        ids = ["%016x" % random.getrandbits(64) for _ in range(3)]
        steps = [sender.step(span_id=ids[0], type="agent"),
                 sender.step(span_id=ids[1], parent_id=ids[0], type="chain",
                             usage=..., model=..., provider=...),
                 sender.step(span_id=ids[2], parent_id=ids[1])]
        for i in order:
            self.accept(sender.batch([steps[i]], trace), accepted=1)
        after = self.total()
        _, detail = self.server.get(self.read, "traces/" + trace)
        self.assertEqual(detail["cost_usd"], "0.00021", order)
        self.assertEqual((detail["calls"], detail["input_tokens"],
                          detail["output_tokens"]), (1, 1000, 100))
        self.assertEqual(
            decimal.Decimal(after["cost_usd"]) -
            decimal.Decimal(before["cost_usd"]), decimal.Decimal("0.00021"))
        for name, amount in (("calls", 1), ("spans", 3),
                             ("input_tokens", 1000), ("output_tokens", 100)):
            self.assertEqual(after[name] - before[name], amount, name)

    def test_usage_counts_on_leaves_in_any_order(self):
        for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1),
                      (2, 1, 0)):
            self.usage_on_leaves(order)

    def test_usage_counts_on_leaves_after_a_restart(self):
        self.server.stop()
        self.server.start()
        before = self.total()
        sender, trace = Sender(), new_trace()
        top = "%016x" % random.getrandbits(64)
        self.accept(sender.batch([sender.step(span_id=top)], trace))
        self.server.stop()
        self.server.start()
        self.accept(sender.batch([sender.step(parent_id=top)], trace))
        after = self.total()
        self.assertEqual(after["calls"] - before["calls"], 1)
        self.assertEqual(
            decimal.Decimal(after["cost_usd"]) -
            decimal.Decimal(before["cost_usd"]), decimal.Decimal("0.00021"))

    def test_parents_in_a_ring(self):
        sender, trace = Sender(), new_trace()
        ids = ["%016x" % (0xc0 + i) for i in range(3)]
        steps = [sender.step(span_id=ids[i], parent_id=ids[(i + 1) % 3])
                 for i in range(3)]
        self.accept(sender.batch(steps, trace), accepted=3)
        own = sender.step(span_id="00000000000000d0",
                          parent_id="00000000000000d0")
        self.accept(sender.batch([own], trace), accepted=1)
        status, detail = self.server.get(self.read, "traces/" + trace)
        self.assertEqual(status, 200)

        def count(steps):
            return sum(1 + count(s["children"]) for s in steps)
        self.assertEqual(count(detail["tree"]), 4)
        self.assertGreaterEqual(detail["calls"], 2)

    def test_a_ring_keeps_its_money(self):
        for carries in ((True, True), (True, False), (False, True)):
            sender, trace = Sender(), new_trace()
            ids = ["%016x" % (0xe0 + i) for i in range(2)]
            for i in range(2):
                own = {} if carries[i] else {
                    "usage": ..., "type": "chain", "model": ...}
                self.accept(sender.batch([sender.step(
                    span_id=ids[i], parent_id=ids[1 - i], **own)], trace),
                    accepted=1)
            _, detail = self.server.get(self.read, "traces/" + trace)
            self.assertEqual((detail["calls"], detail["cost_usd"]),
                             (1, "0.00021"), carries)

    def test_same_trace_in_two_projects(self):
        trace = new_trace()
        a, b = Sender(), Sender()
        self.accept(a.batch([a.step()], trace), accepted=1)
        self.accept(b.batch([b.step(), b.step()], trace), self.other,
                    accepted=2)
        for key, steps in ((self.read, 1), (self.other_read, 2)):
            _, detail = self.server.get(key, "traces/" + trace)
            self.assertEqual(detail["steps"], steps)


class StoredOnce(Base):
    def test_repeats_overlaps_and_reordering(self):
        sender = Sender()
        steps = [sender.step() for _ in range(40)]
        trace = new_trace()
        before = self.total()
        self.accept(sender.batch(steps[10:20], trace), accepted=10)
        self.accept(sender.batch(steps[10:20], trace), accepted=0,
                    duplicate=10)
        self.accept(sender.batch(steps[5:15], trace), accepted=5, duplicate=5)
        self.accept(sender.batch(steps[0:5], trace), accepted=5)
        self.accept(sender.batch(steps[30:40], trace), accepted=10)
        self.accept(sender.batch(steps, trace), accepted=10, duplicate=30)
        self.accept(sender.batch(steps, trace), accepted=0, duplicate=40)
        after = self.total()
        self.assertEqual(after["spans"] - before["spans"], 40)
        self.assertEqual(
            decimal.Decimal(after["cost_usd"]) -
            decimal.Decimal(before["cost_usd"]),
            40 * decimal.Decimal("0.00021"))

    def test_another_client_repeats_a_span(self):
        a, b = Sender(), Sender()
        trace = new_trace()
        step = a.step()
        self.accept(a.batch([step], trace), accepted=1)
        again = dict(step, n=b.step()["n"])
        self.accept(b.batch([again], trace), accepted=0, duplicate=1)
        moved = dict(step, n=b.step()["n"], start=rfc3339(time.time_ns()))
        reply = self.accept(b.batch([moved], trace), accepted=0, rejected=1)
        self.assertEqual((reply["rejected"][0]["field"],
                          reply["rejected"][0]["type"]),
                         ("span_id", "conflict"))

    def test_two_records_under_one_number(self):
        sender = Sender()
        self.accept(sender.batch([sender.step()]), accepted=1)
        reply = self.accept(sender.batch([sender.step(n=1)]), accepted=0,
                            rejected=1)
        self.assertEqual((reply["rejected"][0]["field"],
                          reply["rejected"][0]["type"]), ("n", "conflict"))

    def test_an_instance_has_one_project(self):
        sender = Sender()
        batch = sender.batch([sender.step()])
        self.accept(batch, accepted=1)
        self.refused(409, "instance-of-another-project",
                     self.server.post(self.other, batch))

    def test_unsampled_calls_count(self):
        sender = Sender()
        start = time.time_ns() // (900 * 10**9) * (900 * 10**9)
        batch = sender.batch([], first=1, count=10)
        batch["batch"]["unsampled"] = [{
            "n": [[1, 4], [6, 10]], "start": rfc3339(start),
            "type": "llm_call", "status": "success", "provider": "openai",
            "model": "unsampled-model", "calls": 9, "latency_ms": 100,
            "usage": {"input_tokens": 900, "output_tokens": 9},
            "cost": "1.000000000000001",
            "cost_detail": {"match": "exact", "pricing": "priced",
                            "usage_source": "provider",
                            "cost_source": "computed"}}]
        before = self.total()
        self.accept(batch, accepted=9)
        self.accept(batch, accepted=0, duplicate=9)
        after = self.total()
        self.assertEqual(after["calls"] - before["calls"], 9)
        self.assertEqual(
            decimal.Decimal(after["cost_usd"]) -
            decimal.Decimal(before["cost_usd"]),
            decimal.Decimal("1.000000000000001"))
        batch["batch"]["unsampled"][0].update(n=[[9, 12]], calls=4)
        batch["batch"].update(first=9, count=4)
        reply = self.accept(batch, accepted=0, duplicate=2, rejected=2)
        self.assertEqual([r["n"] for r in reply["rejected"]], [11, 12])
        batch["batch"]["unsampled"][0].update(n=[[20, 21]], calls=3)
        batch["batch"].update(first=20, count=2)
        reply = self.accept(batch, accepted=0, rejected=2)
        self.assertEqual([(r["n"], r["field"]) for r in reply["rejected"]],
                         [(20, "calls"), (21, "calls")])

    def test_scores_are_taken(self):
        sender = Sender()
        batch = sender.batch([sender.step()], first=1, count=2)
        batch["scores"] = [{"n": 2, "trace_id": new_trace(), "name": "good",
                            "value": 0.5, "at": rfc3339(time.time_ns())}]
        self.accept(batch, accepted=2)
        self.accept(batch, accepted=0, duplicate=2)
        batch["scores"] = [{"n": 3, "name": "x"}]
        batch["batch"].update(first=2, count=2)
        batch["traces"] = []
        reply = self.accept(batch, accepted=0, rejected=1)
        self.assertEqual(reply["rejected"][0]["field"], "trace_id")


class Money(Base):
    def test_dear_calls_and_large_sums(self):
        sender = Sender()
        before = decimal.Decimal(self.total()["cost_usd"])
        self.accept(sender.batch([sender.step(
            provider_cost="20000.000000000000001")]), accepted=1)
        self.accept(sender.batch([sender.step(
            provider_cost="9999999.999999999999999")]), accepted=1)
        spent = decimal.Decimal(self.total()["cost_usd"]) - before
        self.assertEqual(spent, decimal.Decimal("10020000"))

    def test_a_forged_cost_does_not_count(self):
        sender = Sender()
        trace = new_trace()
        self.accept(sender.batch([sender.step(
            cost="5000", cost_detail={
                "match": "exact", "pricing": "priced",
                "usage_source": "provider", "cost_source": "computed"})],
            trace), accepted=1)
        _, detail = self.server.get(self.read, "traces/" + trace)
        self.assertEqual(detail["cost_usd"], "0.00021")
        self.assertEqual(detail["tree"][0]["client_cost_usd"], "5000")

    def test_sums_that_do_not_fit_are_refused(self):
        sender = Sender()
        huge = {"input_tokens": 2**63 - 1, "output_tokens": 1}
        before = self.total()
        batch = sender.batch([sender.step(usage=huge, model="x-unknown")
                              for _ in range(2)])
        self.refused(422, "sum-too-large", self.server.post(self.key, batch))
        self.assertEqual(self.total(), before)
        # The server is well afterwards.
        self.accept(sender.batch([sender.step()]), accepted=1)
        for tokens in (2**31, 2**53 + 1):
            before = self.total()["input_tokens"]
            self.accept(sender.batch([sender.step(
                usage={"input_tokens": tokens}, model="x-unknown")]),
                accepted=1)
            self.assertEqual(self.total()["input_tokens"] - before, tokens)


class BadItems(Base):
    """A bad record is rejected alone."""

    def reject(self, field, why, **members):
        sender = Sender()
        good = sender.step()
        bad = sender.step(**members)
        number = bad.get("n")
        batch = sender.batch([good, bad], first=1, count=2)
        reply = self.accept(batch, accepted=1, rejected=1)
        rejection = reply["rejected"][0]
        self.assertEqual((rejection["field"], rejection["type"]),
                         (field, why), members)
        self.assertEqual(rejection["trace_id"],
                         batch["traces"][0]["trace_id"])
        if number == 2:
            self.assertEqual(rejection["n"], 2)
        # A repeat gets the same answer.
        self.accept(batch, accepted=0, duplicate=1, rejected=1)

    def test_each_field(self):
        now = time.time_ns()
        for field, why, members in (
                ("span_id", "format", {"span_id": "xyz"}),
                ("span_id", "format", {"span_id": "0" * 16}),
                ("span_id", "type", {"span_id": 5}),
                ("span_id", "missing", {"span_id": ...}),
                ("parent_id", "format", {"parent_id": "12"}),
                ("n", "missing", {"n": ...}),
                ("n", "type", {"n": "2"}),
                ("n", "range", {"n": 3}),
                ("n", "range", {"n": 0}),
                ("n", "range", {"n": -1}),
                ("type", "format", {"type": "unheard_of"}),
                ("name", "missing", {"name": ...}),
                ("name", "type", {"name": ["x"]}),
                ("name", "too_large", {"name": "x" * 5000}),
                ("status", "format", {"status": "fine"}),
                ("start", "format", {"start": "yesterday"}),
                ("start", "type", {"start": 17}),
                ("start", "in_future",
                 {"start": rfc3339(now + 3600 * 10**9)}),
                ("start", "in_future", {"start": "2099-01-01T00:00:00Z"}),
                ("start", "too_old", {"start": "1970-01-01T00:00:00Z"}),
                ("start", "too_old", {"start": "1901-01-01T00:00:00Z"}),
                ("start", "too_old",
                 {"start": rfc3339(now - 91 * 86400 * 10**9)}),
                ("latency_ms", "type", {"latency_ms": "12"}),
                ("latency_ms", "range", {"latency_ms": -1}),
                ("latency_ms", "range", {"latency_ms": 1e300}),
                ("usage", "type", {"usage": [1]}),
                ("input_tokens", "range", {"usage": {"input_tokens": -1}}),
                ("input_tokens", "range", {"usage": {"input_tokens": 2**63}}),
                ("input_tokens", "format", {"usage": {"input_tokens": 1.5}}),
                ("input_tokens", "type", {"usage": {"input_tokens": "1"}}),
                ("cost", "type", {"cost": 0.1}),
                ("cost", "format", {"cost": "NaN"}),
                ("cost", "format", {"cost": "-1"}),
                ("provider_cost", "range", {"provider_cost": "9" * 25}),
                ("tags", "type", {"tags": "a"}),
                ("tags", "type", {"tags": [1]}),
                ("attributes", "type", {"attributes": []}),
                ("stream", "type", {"stream": "yes"}),
                ("attempt", "format", {"attempt": 1.5})):
            with self.subTest(field=field, members=str(members)[:60]):
                self.reject(field, why, **members)

    def test_an_admin_key_may_send_old_calls(self):
        sender = Sender()
        batch = sender.batch([sender.step(start="2023-11-11T10:00:00Z"),
                              sender.step(start="2099-01-01T00:00:00Z")])
        self.accept(batch, self.admin, accepted=1, rejected=1)
        status, costs = self.server.get(
            self.read, "costs?start_date=2023-11-11&end_date=2023-11-11")
        self.assertEqual(costs["total"]["calls"], 1)

    def test_odd_texts_come_back_whole(self):
        for name in ("a\u0000b", "\ud800", "'; DROP TABLE span; --", "é" * 50,
                     "\U0001f600", "<script>", "\\\"\n\t", " "):
            with self.subTest(name=name.encode("unicode-escape")):
                sender, trace = Sender(), new_trace()
                self.accept(sender.batch([sender.step(
                    name=name, user=name, agent=name, session=name,
                    tags=[name], attributes={name: name})], trace),
                    accepted=1)
                status, detail = self.server.get(self.read, "traces/" + trace)
                self.assertEqual(status, 200)
                seen = name.replace("\u0000", "\ufffd").replace(
                    "\ud800", "\ufffd")
                self.assertEqual((detail["name"], detail["user"],
                                  detail["agent"], detail["session"]),
                                 (seen,) * 4)

    def test_a_flood_of_names_is_capped(self):
        sender = Sender()
        for _ in range(3):
            steps = [sender.step(agent="flood-%d" % sender.next)
                     for _ in range(1000)]
            self.accept(sender.batch(steps), self.other, accepted=1000)
        status, costs = self.server.get(self.other_read,
                                        "costs?group_by=agent")
        self.assertEqual(costs["total"]["calls"], 3000)
        by_agent = {r["agent"]: r["calls"] for r in costs["data"]}
        self.assertLessEqual(len(by_agent), 2001)
        self.assertGreaterEqual(by_agent["other"], 999)


class BadBatches(Base):
    """What is wrong with the envelope refuses all of it."""

    options = ("--max-body", "100000", "--max-inflated", "1000000",
               "--max-items", "500", "--max-depth", "20")

    def setUp(self):
        self.before = self.total()

    def tearDown(self):
        self.assertEqual(self.total(), self.before)

    def post_raw(self, body, **headers):
        return self.server.post(self.key, body, raw=True, **headers)

    def test_malformed_json(self):
        sender = Sender()
        text = json.dumps(sender.batch([sender.step()]))
        cuts = [0, 1, 10, len(text) // 2, len(text) - 1]
        for body in [text[:i] for i in cuts] + [text + "x", text + text,
                                                "nonsense", "{'a':1}"]:
            problem = self.refused(400, "malformed-json",
                                   self.post_raw(body.encode()))
            self.assertIn("offset", problem)
        self.refused(400, "malformed-json",
                     self.post_raw(text.encode().replace(b"answer",
                                                         b"\xff\xfe")))
        self.refused(400, "malformed-json",
                     self.post_raw(text.encode().replace(b"answer", b"a\x00b")))

    def test_schema(self):
        for path, value, field in (
                (("schema",), 2, "schema"), (("schema",), ..., "schema"),
                (("schema",), "1", "schema"), (("sdk",), ..., "sdk"),
                (("sdk",), [], "sdk"),
                (("sdk", "instance"), "not-a-uuid", "sdk.instance"),
                (("sdk", "name"), 5, "sdk.name"),
                (("batch",), ..., "batch"), (("batch",), 3, "batch"),
                (("batch", "first"), 0, "batch.first"),
                (("batch", "first"), -1, "batch.first"),
                (("batch", "first"), "1", "batch.first"),
                (("batch", "count"), 0, "batch.count"),
                (("batch", "count"), 10**9, "batch.count"),
                (("batch", "totals"), ..., "batch.totals"),
                (("traces",), ..., "traces"), (("traces",), {}, "traces"),
                (("traces",), [1], "traces")):
            sender = Sender()
            batch = sender.batch([sender.step()])
            at = batch
            for name in path[:-1]:
                at = at[name]
            if value is ...:
                del at[path[-1]]
            else:
                at[path[-1]] = value
            problem = self.refused(422, "schema",
                                   self.server.post(self.key, batch))
            self.assertEqual(problem["field"], field)
        self.refused(422, "schema", self.post_raw(b"[]"))
        self.refused(422, "schema", self.post_raw(b"5"))

    def test_depth(self):
        sender = Sender()
        deep = json.dumps(sender.batch([sender.step()]))[:-1] + \
            ',"x":' + "[" * 40000 + "]" * 40000 + "}"
        problem = self.refused(400, "too-deep", self.post_raw(deep.encode()))
        self.assertEqual(problem["limit"], 20)

    def test_too_many_records(self):
        sender = Sender()
        batch = sender.batch([sender.step() for _ in range(501)])
        problem = self.refused(413, "too-many-items",
                               self.server.post(self.key, batch))
        self.assertEqual(problem["limit"], 500)

    def test_too_large(self):
        problem = self.refused(413, "body-too-large",
                               self.post_raw(b" " * 100001))
        self.assertEqual(problem["limit"], 100000)

        def chunks():
            for _ in range(200):
                yield b" " * 1000
        problem = self.refused(413, "body-too-large",
                               self.post_raw(chunks()))

    def test_gzip(self):
        sender = Sender()
        body = gzip.compress(json.dumps(sender.batch(
            [sender.step()])).encode())
        gz = {"Content-Encoding": "gzip"}
        for bad in (body[:-1], body[:-9], body[:20], body[:5], b"",
                    b"plain text", body + b"x", body + body,
                    body[:30] + b"\x00\x01\x02" + body[33:],
                    body[:-8] + bytes(8), zlib.compress(b"{}")):
            self.refused(400, "malformed-gzip",
                         self.post_raw(bad, Content_Encoding="gzip"))

    def test_gzip_bomb(self):
        bomb = gzip.compress(b" " * 50_000_000, 9)
        self.assertLess(len(bomb), 100000)
        problem = self.refused(413, "inflated-too-large",
                               self.post_raw(bomb, Content_Encoding="gzip"))
        self.assertEqual(problem["limit"], 1000000)

    def test_unknown_codings_and_types(self):
        self.refused(415, "unsupported-encoding",
                     self.post_raw(b"{}", Content_Encoding="br"))
        self.refused(415, "unsupported-encoding",
                     self.post_raw(b"{}", Content_Encoding="gzip, gzip"))
        self.refused(415, "unsupported-type",
                     self.post_raw(b"a=1", Content_Type="text/plain"))

    def test_keys(self):
        sender = Sender()
        batch = sender.batch([sender.step()])
        key = self.key
        for bad in ("", "x", key[:-1], key[:-1] + ("a" if key[-1] != "a"
                                                   else "b"), "Basic abc"):
            status, reply = self.server.post(bad, batch)
            self.refused(401, "unauthorized", (status, reply))
        status, headers, _ = self.server.request(
            "GET", "/v1/projects/-/costs?key=" + self.read)
        self.assertEqual(status, 401)
        self.assertTrue(headers["WWW-Authenticate"].startswith("Bearer"))
        self.refused(403, "forbidden", self.server.post(self.read, batch))
        self.refused(403, "forbidden", self.server.get(self.key, "costs"))
        for key in (self.key, self.other):
            self.refused(404, "no-such-project", self.server.post(
                key, batch, project="nowhere"))
        self.refused(404, "no-such-project", self.server.post(
            self.key, batch, project="two"))
        self.refused(404, "no-such-project",
                     self.server.get(self.read, "costs", project="two"))
        # An admin key belongs to the server.
        self.assertEqual(self.server.get(self.admin, "costs",
                                         project="two")[0], 200)

    def test_a_revoked_key(self):
        key = self.server.key("one", "read")
        self.assertEqual(self.server.get(key, "costs")[0], 200)
        listed = subprocess.run([SERVER, "key", "list", "--data",
                                 self.server.folder], check=True,
                                capture_output=True, text=True).stdout
        line = [x for x in listed.splitlines() if key[:16] in x][0]
        self.assertNotIn(key, listed)
        subprocess.run([SERVER, "key", "revoke", line.split()[0], "--data",
                        self.server.folder], check=True, capture_output=True)
        self.refused(401, "unauthorized", self.server.get(key, "costs"))

    def test_addresses_and_methods(self):
        for path in ("/", "/v1", "/v2/projects/-/costs", "/metrics", "/admin",
                     "/v1/projects/-/costs/", "/v1/projects//costs",
                     "/v1/projects/-/traces/a/b", "/" + "x" * 2000,
                     "/v1/projects/-/nothing"):
            status, _, body = self.server.request("GET", path, self.read)
            self.refused(404, "not-found", (status, json.loads(body)))
        for method, path, allow in (
                ("DELETE", "/v1/projects/-/costs", "GET"),
                ("PUT", "/v1/projects/-/traces", "POST, GET"),
                ("POST", "/healthz", "GET"), ("TRACE", "/healthz", "GET"),
                ("OPTIONS", "/v1/projects/-/costs", "GET")):
            status, headers, body = self.server.request(method, path,
                                                        self.read)
            self.refused(405, "method-not-allowed",
                         (status, json.loads(body)))
            self.assertEqual(headers["Allow"], allow)

    def test_parameters(self):
        for query, field in (
                ("start_date=2026-13-01", "start_date"),
                ("start_date=x", "start_date"), ("end_date=1", "end_date"),
                ("tz=Mars/Olympus", "tz"), ("tz=../../etc/passwd", "tz"),
                ("tz=%2B99:00", "tz"), ("granularity=weekly", "granularity"),
                ("group_by=colour", "group_by"),
                ("group_by=model,", None), ("group_by=,model", "group_by"),
                ("start=2026-01-01T00:01:00Z", "start"),
                ("start_date=2026-02-02&end_date=2026-02-01", "end_date"),
                ("start_date=1900-01-01", "end_date"),
                ("granularity=hourly&start_date=2026-01-01"
                 "&end_date=2026-06-01", "granularity")):
            status, reply = self.server.get(self.read, "costs?" + query)
            if field is None:
                self.assertEqual(status, 200)
            else:
                problem = self.refused(400, "bad-parameter", (status, reply))
                self.assertEqual(problem["field"], field)
        for limit in ("0", "-1", "1001", "99999999999999999999", "1e3", "",
                      "x"):
            problem = self.refused(400, "bad-parameter", self.server.get(
                self.read, "traces?limit=" + limit))
            self.assertEqual(problem["field"], "limit")
        for order in ("status=fine", "order_by=name"):
            self.refused(400, "bad-parameter",
                         self.server.get(self.read, "traces?" + order))
        self.refused(400, "bad-parameter",
                     self.server.get(self.read, "traces/xyz"))
        self.refused(404, "no-such-trace",
                     self.server.get(self.read, "traces/" + new_trace()))

    def test_raw_garbage(self):
        for bytes_ in (b"\x00" * 100, b"GET\r\n\r\n", b"\xff\xfe\r\n\r\n",
                       b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 5000,
                       b"POST /v1/projects/-/traces HTTP/1.1\r\n"
                       b"Content-Length: -5\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", self.server.port),
                                          timeout=5) as s:
                s.settimeout(5)
                try:
                    s.sendall(bytes_)
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(65536):
                        pass
                except OSError:
                    pass
        self.assertEqual(self.server.request("GET", "/healthz")[0], 200)


class Crashes(Base):
    def batches(self, count):
        sender = Sender()
        return [sender.batch([sender.step() for _ in range(20)])
                for _ in range(count)]

    def test_nothing_acknowledged_is_lost_or_doubled(self):
        batches = self.batches(60)
        before = self.total()
        acknowledged = before["spans"]
        pending = list(batches)
        for kill in range(6):
            killer_after = random.randint(3, 9)
            for _ in range(killer_after):
                if pending:
                    self.accept(pending.pop(0))
                    acknowledged += 20
            # Kill while a few are on their way, then send all again.
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                flying = [pool.submit(self.try_post, b) for b in pending[:4]]
                self.server.process.kill()
                for f in flying:
                    f.result()
            self.server.stop(signal.SIGKILL)
            self.server.start()
            self.assertGreaterEqual(self.total()["spans"], acknowledged)
        for batch in batches:
            reply = self.accept(batch)
            self.assertEqual(reply["accepted"] + reply["duplicate"], 20)
        total = self.total()
        self.assertEqual(total["spans"] - before["spans"], 1200)
        self.assertEqual(decimal.Decimal(total["cost_usd"]) -
                         decimal.Decimal(before["cost_usd"]),
                         1200 * decimal.Decimal("0.00021"))

    def try_post(self, batch):
        try:
            self.server.post(self.key, batch)
        except OSError:
            pass

    def test_a_full_disk_refuses_and_loses_nothing(self):
        self.server.stop()
        self.server.start(file_limit=1_000_000)
        before = self.total()["spans"]
        stored, refused = 0, []
        for batch in self.batches(150):
            status, reply = self.server.post(self.key, batch)
            if status == 200:
                stored += reply["accepted"]
            else:
                self.refused(503, "store-failed", (status, reply))
                refused.append(batch)
        self.assertTrue(stored and refused)
        self.assertEqual(self.total()["spans"] - before, stored)
        self.server.stop()
        self.server.start()
        self.assertEqual(self.total()["spans"] - before, stored)
        for batch in refused:
            self.accept(batch, accepted=20)
        self.assertEqual(self.total()["spans"] - before, 3000)

    def test_term_finishes_what_is_under_way(self):
        server = self.server
        sender_batches = [b for _ in range(4) for b in self.batches(5)]
        stored = 0
        before = self.total(self.read)["spans"]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            flying = [pool.submit(server.post, self.key, b)
                      for b in sender_batches]
            time.sleep(0.05)
            code = server.stop()
            for f in flying:
                try:
                    status, reply = f.result()
                    if status == 200:
                        stored += reply["accepted"]
                except OSError:
                    pass
        server.start()
        self.assertEqual(code, 0)
        self.assertGreaterEqual(self.total(self.read)["spans"] - before,
                                stored)


class Program(unittest.TestCase):
    def run_server(self, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            return subprocess.run([SERVER, *arguments], cwd=folder,
                                  capture_output=True, text=True, timeout=20)

    def test_help_and_bad_options(self):
        done = self.run_server("-h")
        self.assertEqual(done.returncode, 0)
        for option in ("--listen", "--data", "--behind-proxy", "--tls-cert",
                       "--retention-days", "key create"):
            self.assertIn(option, done.stdout)
        for arguments in (("--what",), ("extra",), ("--max-depth", "x"),
                          ("--max-body", "-1"), ("--log-level", "loud"),
                          ("--tls-cert", "a")):
            done = self.run_server(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn("llmlab-server", done.stderr)

    def test_a_public_address_needs_tls_or_a_proxy(self):
        done = self.run_server("--listen", "0.0.0.0:0")
        self.assertEqual(done.returncode, 1)
        self.assertIn("--behind-proxy", done.stderr)
        self.assertIn("--tls-cert", done.stderr)

    def test_bad_places(self):
        self.assertEqual(self.run_server("--listen", "nowhere").returncode, 1)
        self.assertEqual(self.run_server("--db", "/proc/x.db").returncode, 1)
        done = self.run_server("key", "create", "--project", "a/b")
        self.assertEqual(done.returncode, 1)
        self.assertIn("--project", done.stderr)

    def test_a_newer_database_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            import sqlite3
            path = os.path.join(folder, "llmlab.db")
            db = sqlite3.connect(path)
            db.execute("PRAGMA user_version = 999")
            db.close()
            done = self.run_server("--db", path)
            self.assertEqual(done.returncode, 1)
            self.assertIn("999", done.stderr)


if __name__ == "__main__":
    if not os.path.exists(SERVER):
        print("SKIP test_server_api: %s is not built" % SERVER)
        sys.exit(77)
    unittest.main(verbosity=1)
