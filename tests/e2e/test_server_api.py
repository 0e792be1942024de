#!/usr/bin/env python3
"""llmlab-server over HTTP: what it stores, merges, counts once, and answers.

llmlab-test: threads timeout=300
"""

import datetime
import decimal
import http.client
import json
import random
import time
import uuid

import serving
from serving import Base, Sender, new_trace, rfc3339


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

    def test_answers_on_one_connection(self):
        link = http.client.HTTPConnection("127.0.0.1", self.server.port,
                                          timeout=20)
        self.addCleanup(link.close)
        for path, key, expected in (
                ("/healthz", None, 200),
                ("/v1/projects/-/costs", self.read, 200),
                ("/v1/projects/-/costs", None, 401),
                ("/nowhere", None, 404)):
            headers = {"Authorization": "Bearer " + key} if key else {}
            link.request("GET", path, headers=headers)
            reply = link.getresponse()
            reply.read()
            self.assertEqual(reply.status, expected, path)
            self.assertNotEqual(reply.getheader("Connection"), "close", path)

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
                            "value": 0.5, "label": "x", "source": "judge",
                            "version": "7", "comment": "well",
                            "at": rfc3339(time.time_ns())}]
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


if __name__ == "__main__":
    serving.main()
