#!/usr/bin/env python3
"""Costs and lists of llmlab-server against an oracle that knows nothing of
roll-ups: it sums the stored spans one by one, in whole numbers.

LLMLAB_SEED repeats a run.

llmlab-test: threads timeout=300
"""

import collections
import csv
import datetime
import decimal
import io
import itertools
import json
import math
import os
import random
import sqlite3
import subprocess
import threading
import time
import unittest
import urllib.parse
import zoneinfo

import serving
from serving import Base, Sender, new_trace, rfc3339

DAY = 86400
NS = 10**9
ZONES = ["UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "Australia/Eucla",
         "America/St_Johns", "Asia/Kolkata", "Europe/Berlin",
         "America/New_York", "Pacific/Chatham", "Africa/Cairo",
         "America/Santiago", "Pacific/Apia"]
CUBE = ["provider", "model", "agent", "status", "environment", "key"]
GROUPS = CUBE + ["user", "tag", "session"]
SEED = int(os.environ.get("LLMLAB_SEED", random.randrange(10**6)))


def money(femto):
    text = format(decimal.Decimal(femto).scaleb(-15), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def femto(text):
    with decimal.localcontext() as context:
        context.prec = 60
        return int(decimal.Decimal(text).scaleb(15))


class Oracle:
    """What is stored, row by row."""

    def __init__(self, path, project):
        db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
        db.row_factory = sqlite3.Row
        labels = dict(db.execute("SELECT id, text FROM label"))
        labels[0] = None
        number = db.execute("SELECT id FROM project WHERE slug=?",
                            (project,)).fetchone()[0]
        statuses = {1: "success", 2: "error", 3: "cancelled"}
        self.rows = []
        for s in db.execute("SELECT * FROM span WHERE project=?", (number,)):
            usage = json.loads(s["usage"] or "{}") if s["counted"] else {}
            cost = (s["cost_nano"] or 0) * 10**6 + (s["cost_rest"] or 0)
            self.rows.append(dict(
                self.place(s, labels, statuses), spans=1, calls=s["counted"],
                cost=cost if s["counted"] else 0,
                input=usage.get("input_tokens", 0),
                output=usage.get("output_tokens", 0),
                duration=s["duration_ns"],
                latency=s["duration_ns"] if s["counted"] else None))
        for s in db.execute("SELECT * FROM remainder WHERE project=?",
                            (number,)):
            self.rows.append(dict(
                self.place(s, labels, statuses), spans=s["spans"],
                calls=s["calls"], cost=s["cost_nano"] * 10**6 + s["cost_rest"],
                input=sum(s[c] for c in s.keys() if c.startswith("input_")),
                output=sum(s[c] for c in s.keys() if c.startswith("output_")),
                duration=s["duration_ns"], latency=None))
        db.close()

    @staticmethod
    def place(s, labels, statuses):
        return {"start": s["start_ns"], "provider": labels[s["provider"]],
                "model": labels[s["model"]], "agent": labels[s["agent"]],
                "user": labels[s["user"]], "session": s["session"],
                "environment": labels[s["environment"]],
                "key": str(s["api_key"]), "status": statuses[s["status"]],
                "tags": sorted(set(json.loads(s["tags"] or "[]"))) or [None]}

    def buckets(self, zone, granularity, start, end):
        """Where each bucket begins, by walking the zone's wall clock."""
        if granularity == "total":
            return [start]
        starts = [start]
        at = start
        tz = zoneinfo.ZoneInfo(zone)
        local = None
        while at < end:
            wall = datetime.datetime.fromtimestamp(at, tz)
            name = (wall.date() if granularity == "daily"
                    else (wall.date(), wall.hour, wall.utcoffset()))
            if local is not None and name != local and at != start:
                starts.append(at)
            local = name
            at += 900
        return starts

    def sums(self, zone, granularity, groups, start, end, only):
        starts = self.buckets(zone, granularity, start, end)
        found = collections.defaultdict(lambda: collections.Counter())
        latencies = collections.defaultdict(list)
        total = collections.Counter()
        latency = []
        for row in self.rows:
            if not start * NS <= row["start"] < end * NS:
                continue
            if any((value not in row["tags"]) if name == "tag"
                   else row[name] != value for name, value in only.items()):
                continue
            index = 0
            low, high = 0, len(starts)
            while high - low > 1:
                middle = (low + high) // 2
                if starts[middle] * NS <= row["start"]:
                    low = middle
                else:
                    high = middle
            index = starts[low]
            parts = {k: row[k] for k in ("spans", "calls", "cost", "input",
                                         "output", "duration")}
            total.update(parts)
            tags = row["tags"] if "tag" in groups else [None]
            if "tag" in only and "tag" in groups:
                tags = [only["tag"]]
            for tag in tags:
                key = (index,) + tuple(
                    tag if g == "tag" else row[g] for g in groups)
                found[key].update(parts)
                if row["latency"] is not None:
                    latencies[key].append(row["latency"])
            if row["latency"] is not None:
                latency.append(row["latency"])
        return found, latencies, total, latency


class Costs(Base):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        print("seed %d" % SEED)
        cls.random = random.Random(SEED)
        cls.now = int(time.time())
        cls.fill()

    @classmethod
    def fill(cls):
        pick = cls.random
        keys = [cls.admin, cls.server.key("one", "admin")]
        for number in range(36):
            sender = Sender()
            base = cls.now - pick.randrange(60 * DAY)
            steps = []
            for _ in range(30):
                at = (base - pick.randrange(2 * DAY)) * NS + pick.randrange(NS)
                if pick.random() < 0.2: # just before and after a quarter
                    at = at // (900 * NS) * 900 * NS + pick.choice([-1, 0, 1])
                members = dict(
                    start=rfc3339(at), latency_ms=pick.randrange(1, 10**7) /
                    1000, model=pick.choice(["gpt-4o-mini", "gpt-4o",
                                             "claude-sonnet-4-5", "unknown-x"]),
                    provider=pick.choice(["openai", "azure"]),
                    status=pick.choice(["success"] * 5 + ["error",
                                                          "cancelled"]),
                    agent=pick.choice(["a", "b", "=cmd()", ...]),
                    user=pick.choice(["u%d" % i for i in range(9)] + [...]),
                    session=pick.choice(["s%d" % i for i in range(5)] + [...]),
                    tags=pick.choice([[], ["x"], ["x", "y"], ["y", "\u00e9\"",
                                                              "z"]]),
                    usage={"input_tokens": pick.randrange(10**6),
                           "output_tokens": pick.randrange(10**5)})
                if pick.random() < 0.3:
                    members["provider_cost"] = "%d.%015d" % (
                        pick.randrange(20000), pick.randrange(10**15))
                if pick.random() < 0.1:
                    members.update(type="tool_call", usage=...)
                steps.append(sender.step(**members))
            batch = sender.batch(steps)
            batch["sdk"]["environment"] = pick.choice(["prod", "test"])
            if number % 6 == 0:
                cls.unsampled(batch, sender)
            status, reply = cls.server.post(pick.choice(keys), batch)
            assert status == 200 and not reply["rejected"], reply

    @classmethod
    def unsampled(cls, batch, sender):
        first = sender.next
        sender.next += 3
        batch["batch"]["count"] += 3
        batch["batch"]["unsampled"] = [{
            "n": [[first, first + 2]], "calls": 3, "type": "llm_call",
            "start": rfc3339((cls.now - cls.random.randrange(50 * DAY)) * NS),
            "status": "success", "agent": "a", "user": "u1", "session": "s1",
            "tags": ["x", "q"], "provider": "openai", "model": "gpt-4o-mini",
            "latency_ms": 5.5, "usage": {"input_tokens": 300,
                                         "output_tokens": 30},
            "cost": "0.000000000000123"}]

    def oracle(self):
        return Oracle(os.path.join(self.server.folder, "llmlab.db"), "one")

    def ask(self, **parameters):
        path = "costs?" + urllib.parse.urlencode(parameters)
        status, reply = self.server.get(self.read, path)
        self.assertEqual(status, 200, (path, reply))
        return reply

    def compare(self, oracle, zone, granularity, groups, first, last, only):
        reply = self.ask(tz=zone, granularity=granularity, latency="true",
                         group_by=",".join(groups), start_date=first,
                         end_date=last, **{k: v for k, v in only.items()})
        tz = zoneinfo.ZoneInfo(zone)
        midnight = datetime.time()
        start = int(datetime.datetime.combine(first, midnight, tz).timestamp())
        end = int(datetime.datetime.combine(
            last + datetime.timedelta(1), midnight, tz).timestamp())
        found, latencies, total, latency = oracle.sums(
            zone, granularity, groups, start, end, only)
        expected = {}
        for key, sums in found.items():
            if sums["calls"] > 0:
                expected[key] = sums
        seen = {}
        for row in reply["data"]:
            at = start
            if granularity != "total":
                at = int(datetime.datetime.fromisoformat(
                    row["start"][:19] + "+00:00").timestamp())
            key = (at,) + tuple(row[g] for g in groups)
            self.assertNotIn(key, seen)
            seen[key] = row
        self.assertEqual(set(seen), set(expected),
                         (zone, granularity, groups, only))
        for key, row in list(seen.items()) + [(None, reply["total"])]:
            sums = total if key is None else expected[key]
            self.assertEqual(femto(row["cost_usd"]), sums["cost"], key)
            self.assertEqual(
                (row["calls"], row["spans"], row["input_tokens"],
                 row["output_tokens"]),
                (sums["calls"], sums["spans"], sums["input"], sums["output"]))
            self.assertEqual(round(row["latency_ms_sum"] * 10**6),
                             sums["duration"])
            self.quantiles(row["latency_ms"],
                           latency if key is None else latencies[key])
        return reply

    def quantiles(self, told, exact):
        self.assertEqual(told["calls"], len(exact))
        exact = sorted(exact)
        for name, percent in (("p50", 50), ("p95", 95), ("p99", 99)):
            if not exact:
                self.assertIsNone(told[name])
                continue
            rank = max(1, math.ceil(len(exact) * percent / 100))
            value = exact[rank - 1] / 10**6
            self.assertLessEqual(abs(told[name] - value), value / 64 + 1e-6)

    def range(self):
        last = datetime.datetime.utcfromtimestamp(
            self.now - self.random.randrange(20 * DAY)).date()
        return last - datetime.timedelta(self.random.randrange(40)), last

    def test_every_zone_and_granularity(self):
        oracle = self.oracle()
        for zone in ZONES:
            for granularity in ("total", "daily", "hourly"):
                groups = self.random.sample(CUBE, self.random.randrange(4))
                self.compare(oracle, zone, granularity, groups, *self.range(),
                             {})

    def test_every_combination_of_the_cube(self):
        oracle = self.oracle()
        for count in range(len(CUBE) + 1):
            for groups in itertools.combinations(CUBE, count):
                zone = self.random.choice(ZONES)
                self.compare(oracle, zone, self.random.choice(
                    ["total", "daily"]), list(groups), *self.range(), {})

    def test_users_tags_and_crossings(self):
        oracle = self.oracle()
        for groups in (["user"], ["tag"], ["session"], ["user", "model"],
                       ["tag", "agent"], ["tag", "user", "session"],
                       ["session", "status"], ["user", "key", "environment"]):
            for granularity in ("total", "daily", "hourly"):
                reply = self.compare(oracle, self.random.choice(ZONES),
                                     granularity, groups, *self.range(), {})
                self.assertEqual(reply["overlapping"], "tag" in groups)
                self.assertIs(reply["approximate"], False)

    def test_filters(self):
        oracle = self.oracle()
        values = {"provider": "openai", "model": "gpt-4o", "agent": "a",
                  "status": "error", "environment": "prod", "user": "u3",
                  "tag": "x", "session": "s2"}
        for _ in range(30):
            only = {k: values[k] for k in self.random.sample(
                list(values), self.random.randrange(1, 4))}
            groups = self.random.sample(GROUPS, self.random.randrange(3))
            self.compare(oracle, self.random.choice(ZONES),
                         self.random.choice(["total", "daily"]), groups,
                         *self.range(), only)

    def test_instants_are_exclusive_at_the_end(self):
        oracle = self.oracle()
        start = (self.now - 30 * DAY) // 900 * 900
        cut = start + 900 * self.random.randrange(1, 1000)
        end = cut + 900 * self.random.randrange(1, 1000)

        def total(a, b):
            return femto(self.ask(start=rfc3339(a * NS)[:19] + "Z",
                                  end=rfc3339(b * NS)[:19] + "Z")
                         ["total"]["cost_usd"])
        self.assertEqual(total(start, cut) + total(cut, end),
                         total(start, end))
        self.assertEqual(total(start, end), sum(
            r["cost"] for r in oracle.rows
            if start * NS <= r["start"] < end * NS))

    def test_csv_says_the_same_and_T43_no_formula(self):
        parameters = dict(group_by="agent,model", granularity="daily",
                          tz="Asia/Kathmandu")
        reply = self.ask(**parameters)
        status, headers, body = self.server.request(
            "GET", "/v1/projects/-/costs?format=csv&" +
            urllib.parse.urlencode(parameters), self.read)
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/csv"))
        rows = list(csv.DictReader(io.StringIO(body.decode())))
        self.assertEqual(len(rows), len(reply["data"]))
        for row, told in zip(rows, reply["data"]):
            for name in ("start", "model", "cost_usd"):
                self.assertEqual(row[name], told[name] or "")
            agent = told["agent"] or ""
            self.assertEqual(row["agent"],
                             "'" + agent if agent[:1] == "=" else agent)
            self.assertEqual(int(row["calls"]), told["calls"])

    def test_etag(self):
        path = "/v1/projects/-/costs?group_by=model&tz=Asia/Kolkata"
        status, headers, body = self.server.request("GET", path, self.read)
        tag = headers["ETag"]
        for known in (tag, "W/" + tag, '"x", ' + tag, "*"):
            status, headers, none = self.server.request(
                "GET", path, self.read, headers={"If-None-Match": known})
            self.assertEqual((status, none), (304, b""), known)
            self.assertEqual(headers["ETag"], tag)
        status, _, same = self.server.request(
            "GET", path, self.read, headers={"If-None-Match": '"x"'})
        self.assertEqual((status, same), (200, body))

    def test_T20_and_T22_bad_questions(self):
        for query, field in (
                ("limit=0", "limit"), ("limit=-1", "limit"),
                ("limit=1000000000", "limit"), ("limit=1e3", "limit"),
                ("limit=9223372036854775808", "limit"), ("limit=", "limit"),
                ("limit=1001", "limit"), ("cursor=00", "cursor"),
                ("start_date=1926-01-01&end_date=2026-01-01", "end_date"),
                ("tz=Mars/Olympus", "tz"), ("status=%25" * 1, "status")):
            for path in ("calls", "sessions", "users", "traces",
                         "facets?field=user&"):
                if field == "status" and path not in ("calls", "traces"):
                    continue
                problem = self.refused(400, "bad-parameter", self.server.get(
                    self.read, path + ("" if "?" in path else "?") + query))
                self.assertEqual(problem["field"], field, (path, query))
        for query, field in (("granularity=weekly", "granularity"),
                             ("group_by=colour", "group_by"),
                             ("latency=1", "latency"), ("format=xml", "format"),
                             ("key=x", "key"),
                             ("start=2026-01-01T00:07:00Z", "start")):
            problem = self.refused(400, "bad-parameter", self.server.get(
                self.read, "costs?" + query))
            self.assertEqual(problem["field"], field, query)
        self.assertEqual(self.server.get(
            self.read, "calls?user=" + "%25" * 1000)[1]["data"], [])

    def test_T49_the_first_day_and_the_last(self):
        sender = Sender()
        batch = sender.batch([
            sender.step(start="1970-01-01T00:00:00Z", agent="dawn"),
            sender.step(start="2099-12-31T23:59:59Z", agent="dusk"),
            sender.step(start="1969-12-31T23:59:59Z", agent="night")])
        status, reply = self.server.post(self.admin, batch)
        self.assertEqual(status, 200, reply)
        self.assertEqual(reply["accepted"], 1)
        self.assertEqual(sorted(r["type"] for r in reply["rejected"]),
                         ["in_future", "too_old"])
        for zone, first in (("UTC", "1970-01-01"),
                            ("Asia/Kathmandu", "1970-01-01"),
                            ("America/New_York", "1969-12-31")):
            reply = self.ask(tz=zone, granularity="daily", group_by="agent",
                             start_date=first, end_date=first)
            self.assertEqual([(r["agent"], r["calls"])
                              for r in reply["data"]], [("dawn", 1)], zone)
        # Liberia's clock was 44 minutes and 30 seconds behind.
        self.refused(422, "not-on-quarter-hours", self.server.get(
            self.read, "costs?tz=Africa/Monrovia&start_date=1970-01-01"
            "&end_date=1970-01-02"))
        status, reply = self.server.get(
            self.read, "costs?start_date=2099-01-01&end_date=2099-12-31")
        self.assertEqual((status, reply["total"]["calls"]), (200, 0))

    def first(self):
        """A day before all that was sent."""
        return datetime.date(1970, 1, 1) + datetime.timedelta(
            self.now // DAY - 100)

    def pages(self, path, limit):
        rows, cursor = [], ""
        for _ in range(10000):
            status, page = self.server.get(self.read, "%slimit=%d%s" % (
                path, limit, cursor and "&cursor=" + cursor))
            self.assertEqual(status, 200, page)
            self.assertLessEqual(len(page["data"]), limit)
            rows += page["data"]
            cursor = page["next_cursor"]
            if cursor is None:
                return rows
        raise AssertionError("the list does not end")

    def test_lists_by_pages(self):
        db = sqlite3.connect(os.path.join(self.server.folder, "llmlab.db"))
        one = db.execute("SELECT id FROM project WHERE slug='one'"
                         ).fetchone()[0]
        start = (self.now - 100 * DAY) // DAY * DAY * NS
        dates = "start_date=%s&" % self.first()
        exact = [r[0] for r in db.execute(
            "SELECT span_id FROM span WHERE project=? AND start_ns>=? "
            "ORDER BY start_ns DESC, span_id DESC, trace_high DESC, "
            "trace_low DESC", (one, start))]
        calls = self.pages("calls?" + dates, 97)
        self.assertEqual([c["span_id"] for c in calls],
                         ["%016x" % (e % 2**64) for e in exact])
        for query, where in (
                ("user=u3", "user=(SELECT id FROM label WHERE kind=4 AND "
                 "text='u3' AND project=s.project)"),
                ("user=", "user=0"),
                ("status=error&model=gpt-4o", "status=2 AND model=(SELECT id "
                 "FROM label WHERE kind=2 AND text='gpt-4o' AND "
                 "project=s.project)"),
                ("session=s2", "session='s2'"),
                ("tag=y", "EXISTS (SELECT 1 FROM json_each(tags) WHERE "
                 "value='y')"),
                ("tag=", "ifnull(tags,'[]')='[]'"),
                ("type=tool_call", "name='answer' AND usage IS NULL"),
                ("unpriced=true", "counted=1 AND cost_nano IS NULL"),
                ("agent=nobody", "0")):
            expected = [r[0] for r in db.execute(
                "SELECT span_id FROM span s WHERE project=? AND start_ns>=? "
                "AND %s ORDER BY start_ns DESC, span_id DESC" % where,
                (one, start))]
            calls = self.pages("calls?%s%s&" % (dates, query), 7)
            self.assertEqual([c["span_id"] for c in calls],
                             ["%016x" % (e % 2**64) for e in expected], query)
        sessions = self.pages("sessions?" + dates, 2)
        expected = db.execute(
            "SELECT session, sum(nano), sum(rest), sum(steps), "
            "sum(calls), sum(t) FROM (SELECT session, cost_nano AS nano, "
            "cost_rest AS rest, steps, calls, 1 AS t FROM trace WHERE "
            "project=?1 AND start_ns>=?2 UNION ALL SELECT session, cost_nano, "
            "cost_rest, spans, calls, 0 FROM remainder WHERE project=?1 AND "
            "start_ns>=?2) WHERE session IS NOT NULL GROUP BY session",
            (one, start)).fetchall()
        expected = [(e[0], e[1] * 10**6 + e[2]) + e[3:] for e in expected]
        self.assertEqual(
            sorted((s["session"], femto(s["cost_usd"]), s["steps"],
                    s["calls"], s["traces"]) for s in sessions),
            sorted(expected))
        users = self.pages("users?" + dates, 3)
        told = {r["user"]: r["cost_usd"] for r in self.ask(
            start_date=self.first(), group_by="user")["data"]}
        self.assertEqual({u["user"]: u["cost_usd"] for u in users
                          if u["calls"]}, told)
        self.assertEqual([femto(u["cost_usd"]) for u in users], sorted(
            [femto(u["cost_usd"]) for u in users], reverse=True))
        for field in GROUPS[:-1]:
            values = self.pages("facets?field=%s&%s" % (field, dates), 2)
            rows = self.ask(start_date=self.first(), group_by=field)["data"]
            self.assertLessEqual({r[field] for r in rows},
                                 {v["value"] for v in values})
            self.assertEqual(len(values), len({v["value"] for v in values}))
        db.close()

    def test_T2_and_T4_cursors_are_this_projects(self):
        for path in ("calls?", "sessions?", "users?", "facets?field=user&"):
            path += "start_date=%s&" % self.first()
            _, page = self.server.get(self.read, path + "limit=1")
            cursor = page["next_cursor"]
            self.assertIsNotNone(cursor, path)
            flipped = cursor[:9] + "%x" % (int(cursor[9], 16) ^ 1) + cursor[10:]
            for key, text in ((self.other_read, cursor), (self.read, flipped),
                              (self.read, cursor[:-2])):
                self.refused(400, "bad-parameter", self.server.get(
                    key, path + "limit=1&cursor=" + text))
        _, page = self.server.get(self.other_read, "calls?user=u1")
        self.assertEqual(page["data"], [])

    def test_traces_dearest_and_newest_with_filters(self):
        db = sqlite3.connect(os.path.join(self.server.folder, "llmlab.db"))
        for query, where in (
                ("", "1"), ("user=u2&", "user=(SELECT id FROM label WHERE "
                            "kind=4 AND text='u2' AND project=t.project)"),
                ("status=error&", "status=2"), ("session=s1&", "session='s1'"),
                ("agent=a&", "agent=(SELECT id FROM label WHERE kind=3 AND "
                 "text='a' AND project=t.project)")):
            for order, by in (("cost", "cost_nano DESC, cost_rest DESC, "
                               "trace_high DESC, trace_low DESC"),
                              ("start", "start_ns DESC, trace_high DESC, "
                               "trace_low DESC")):
                expected = ["%016x%016x" % (r[0] % 2**64, r[1] % 2**64)
                            for r in db.execute(
                    "SELECT trace_high, trace_low FROM trace t WHERE "
                    "project=(SELECT id FROM project WHERE slug='one') AND "
                    "start_ns>=%d AND %s ORDER BY %s" % (
                        (self.now - 100 * DAY) // DAY * DAY * NS, where, by))]
                traces = self.pages("traces?start_date=%s&order_by=%s&%s" % (
                    self.first(), order, query), 5)
                self.assertEqual([t["trace_id"] for t in traces], expected,
                                 (query, order))
        db.close()


class Expired(Costs):
    """The same sums once the spans are gone: what the roll-ups hold stays."""

    def test_answers_stay_when_spans_go(self):
        questions = ["costs?tz=%s&granularity=%s&group_by=%s&latency=true"
                     "&start_date=%s" % (z, g, b, self.first())
                     for z in ("Asia/Kathmandu", "Australia/Lord_Howe")
                     for g in ("total", "daily")
                     for b in ("model,agent,status", "user", "tag", "")]
        before = [self.server.get(self.read, q) for q in questions]
        lists = [self.server.get(self.read, q + "start_date=%s" % self.first())
                 for q in ("users?", "sessions?", "facets?field=tag&")]
        self.server.stop()
        db = sqlite3.connect(os.path.join(self.server.folder, "llmlab.db"))
        db.execute("DELETE FROM span")
        db.execute("DELETE FROM remainder")
        db.commit()
        db.close()
        self.server.start()
        self.assertEqual([self.server.get(self.read, q) for q in questions],
                         before)
        self.assertEqual(
            [self.server.get(self.read, q + "start_date=%s" % self.first())
             for q in ("users?", "sessions?", "facets?field=tag&")], lists)
        self.refused(422, "spans-expired", self.server.get(
            self.read, "costs?group_by=user,model&start_date=%s" %
            self.first()))


class Fresh(Base):
    def test_an_answer_holds_what_was_acknowledged(self):
        """Read your write, from the cache that all readers share."""
        stop = time.monotonic() + 4
        failures, asked = [], []

        def work(name):
            sender = Sender()
            stored, tag = 0, None
            while time.monotonic() < stop and not failures:
                count = random.randrange(1, 5)
                self.accept(sender.batch([sender.step(agent=name)
                                          for _ in range(count)]),
                            accepted=count)
                stored += count
                headers = {"If-None-Match": tag} if tag else {}
                status, told, body = self.server.request(
                    "GET", "/v1/projects/-/costs?group_by=agent", self.read,
                    headers=headers)
                asked.append(status)
                if status == 304: # another's write cannot hide one's own
                    failures.append((name, stored, "304"))
                    return
                tag = told["ETag"]
                seen = {r["agent"]: r["calls"]
                        for r in json.loads(body)["data"]}
                if seen.get(name) != stored:
                    failures.append((name, stored, seen.get(name)))

        threads = [threading.Thread(target=work, args=("w%d" % i,))
                   for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertGreater(len(asked), 20)

    def test_T46_tokens_are_exact_or_refused(self):
        good = [2**31, 2**53 + 1, 2**53 - 1, 0]
        for value in good:
            sender = Sender()
            self.accept(sender.batch([sender.step(
                agent="t46", model="unknown-y", usage={"input_tokens": value,
                                                       "output_tokens": 1})]),
                        self.other, accepted=1)
        for value in (-1, 1.5, 2**63, "7", 1e400):
            sender = Sender()
            text = json.dumps(sender.batch([sender.step(usage={
                "input_tokens": "VALUE", "output_tokens": 1})]))
            status, reply = self.server.post(
                self.other, text.replace('"VALUE"', "1e400" if value == 1e400
                                         else json.dumps(value)).encode(),
                raw=True)
            self.assertEqual((status, len(reply["rejected"])), (200, 1), value)
        _, costs = self.server.get(self.other_read, "costs?agent=t46")
        self.assertEqual(costs["total"]["input_tokens"], sum(good))
        sender = Sender()
        status, reply = self.server.post(self.other, sender.batch(
            [sender.step(agent="t46", model="unknown-y", usage={
                "input_tokens": 2**63 - 1, "output_tokens": 1})]))
        self.assertIn(status, (200, 422), reply)
        _, after = self.server.get(self.other_read, "costs?agent=t46")
        self.assertEqual(after["total"]["input_tokens"], sum(good))

    def test_T50_a_flood_of_names(self):
        key = self.server.key("flood", "admin")
        names = 0
        for _ in range(6):
            sender = Sender()
            steps = [sender.step(agent="agent %d" % (names + i),
                                 tags=["tag %d" % (names + i)],
                                 user="user %d" % (names + i))
                     for i in range(500)]
            names += 500
            status, reply = self.server.post(key, sender.batch(steps))
            self.assertEqual((status, reply["accepted"]), (200, 500), reply)
        for field, cap in (("agent", 2000), ("tag", 2000), ("user", 3000)):
            status, costs = self.server.get(key, "costs?group_by=" + field)
            self.assertEqual(status, 200, costs)
            rows = {r[field]: r["calls"] for r in costs["data"]}
            self.assertEqual(sum(rows.values()), names)
            self.assertEqual(costs["total"]["calls"], names)
            if cap < names:
                self.assertEqual(len(rows), cap + 1)
                self.assertEqual(rows["other"], names - cap)
            else:
                self.assertEqual(len(rows), names)
            status, page = self.server.get(
                key, "facets?limit=1000&field=" + field)
            self.assertEqual((status, len(page["data"])), (200, 1000))
        status, costs = self.server.get(key, "costs?group_by=agent,user,tag")
        self.assertEqual((status, costs["total"]["calls"]), (200, names))
        self.assertEqual(len(costs["data"]), names)


class Command(Base):
    """The same by the llmlab command."""

    def run_llmlab(self, *arguments):
        env = {k: v for k, v in os.environ.items()
               if not k.startswith("LLMLAB_")}
        env.update(LLMLAB_SPOOL_MODE="off", LLMLAB_API_KEY=self.read,
                   LLMLAB_URL=
                   "http://127.0.0.1:%d" % self.server.port)
        done = subprocess.run([os.path.join(serving.BUILD, "bin", "llmlab"),
                               *arguments], env=env, capture_output=True,
                              text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_costs_calls_sessions_and_users(self):
        sender = Sender()
        self.accept(sender.batch([
            sender.step(user="u%d" % (i % 2), session="s%d" % (i % 3),
                        tags=["x", "y"][:i % 3], agent="a", model="gpt-4o")
            for i in range(6)]), accepted=6)
        rows = list(csv.DictReader(io.StringIO(self.run_llmlab(
            "costs", "--group-by", "user,tag", "--tz", "Asia/Kathmandu",
            "--csv"))))
        self.assertEqual(sum(int(r["calls"]) for r in rows
                             if r["user"] != "total"), 8, rows)
        self.assertEqual([r["calls"] for r in rows if r["user"] == "total"],
                         ["6"])
        told = json.loads(self.run_llmlab("costs", "--user", "u1", "--group-by",
                                          "model", "--json"))
        self.assertEqual(told["total"]["calls"], 3)
        calls = json.loads(self.run_llmlab("calls", "--json", "--tag", "x"))
        self.assertEqual(len(calls["data"]), 4)
        page = self.run_llmlab("calls", "--limit", "2")
        cursor = page.split("--cursor ")[1].split()[0]
        self.assertEqual(self.run_llmlab("calls", "--limit", "2", "--csv",
                                         "--cursor", cursor).count("gpt-4o"), 2)
        # A trace counts for one session, whatever its steps say.
        self.assertEqual(len(self.run_llmlab("sessions", "--csv")
                             .splitlines()), 2)
        self.assertIn("u0", self.run_llmlab("users"))


def load_tests(loader, _tests, _pattern):
    suite = unittest.TestSuite()
    suite.addTests(loader.loadTestsFromTestCase(Costs))
    suite.addTests(loader.loadTestsFromTestCase(Fresh))
    suite.addTests(loader.loadTestsFromTestCase(Command))
    suite.addTest(Expired("test_answers_stay_when_spans_go"))
    return suite


if __name__ == "__main__":
    serving.main()
