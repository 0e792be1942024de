#!/usr/bin/env python3
"""Scores of traces and spans: /scores, and those that come with batches.

llmlab-test: threads timeout=300
"""

import json
import random
import sqlite3
import os
import time
import urllib.parse

import serving
from serving import Base, Sender, new_trace, rfc3339

MEMBERS = {"id", "trace_id", "span_id", "name", "type", "value", "label",
           "source", "version", "comment", "at"}


class Scores(Base):
    def api(self, method, path, body=None, key=None, **headers):
        sent = {k.replace("_", "-"): v for k, v in headers.items()}
        if body is not None:
            body = json.dumps(body)
            sent["Content-Type"] = "application/json"
        status, self.headers, reply = self.server.request(
            method, "/v1/projects/-/" + path, key or self.admin, body, sent)
        return status, json.loads(reply) if reply else None

    def add(self, expected=201, **score):
        score.setdefault("trace_id", new_trace())
        score.setdefault("name", "helpful")
        score.setdefault("value", 0.5)
        status, reply = self.api("POST", "scores", score, self.key)
        self.assertEqual(status, expected, reply)
        return reply

    def list(self, **query):
        status, page = self.api(
            "GET", "scores?" + urllib.parse.urlencode(query), key=self.read)
        self.assertEqual(status, 200, page)
        for score in page["data"]:
            self.assertEqual(set(score), MEMBERS)
        return page

    def trace(self):
        sender = Sender()
        trace = new_trace()
        step = sender.step()
        self.accept(sender.batch([step], trace), accepted=1)
        return trace, step["span_id"]

    def test_each_type_of_value(self):
        for value, kind in ((0.1, "numeric"), (-3, "numeric"),
                            (1e-300, "numeric"), ("good", "categorical"),
                            (True, "boolean"), (False, "boolean")):
            score = self.add(value=value, source="judge", version="7",
                             comment="weil “ja”")
            self.assertEqual(
                (score["type"], score["value"], score["label"]),
                (kind, value, None))
            self.assertEqual(self.headers["Location"].split("/")[-1],
                             score["id"])
            status, same = self.api("GET", "scores/" + score["id"])
            self.assertEqual((status, same), (200, score))
        score = self.add(value=4, label="fair")
        self.assertEqual((score["type"], score["value"], score["label"]),
                         ("numeric", 4, "fair"))

    def test_a_score_may_come_before_its_trace_and_is_shown_with_it(self):
        sender = Sender()
        trace, step = new_trace(), sender.step()
        early = self.add(trace_id=trace, span_id=step["span_id"])
        self.accept(sender.batch([step], trace), accepted=1)
        late = self.add(trace_id=trace, name="late", value="yes")
        status, detail = self.server.get(self.read, "traces/" + trace)
        self.assertEqual(status, 200)
        self.assertEqual(detail["scores"], [late, early])

    def test_a_repeat_is_no_second_score(self):
        trace = new_trace()
        first = self.add(id="review-17", trace_id=trace)
        self.assertEqual(first["id"], "review-17")
        again = self.add(200, id="review-17", trace_id=trace)
        self.assertEqual(again, first)
        self.refused(409, "score-exists", self.api(
            "POST", "scores", {"id": "review-17", "trace_id": trace,
                               "name": "helpful", "value": 0.6}))
        score = {"trace_id": trace, "name": "x", "value": 1}
        replies = [self.api("POST", "scores", score, Idempotency_Key="k1")
                   for _ in range(2)]
        self.assertEqual(replies[0], replies[1])
        self.assertEqual(self.headers["Idempotency-Replayed"], "true")
        self.assertEqual(len(self.list(trace_id=trace)["data"]), 2)

    def test_bad_ones_alone_are_refused(self):
        trace = new_trace()
        good = {"trace_id": trace, "name": "n", "value": 1}
        bad = [("trace_id", "value", dict(good, trace_id="0" * 32)),
               ("trace_id", "value", dict(good, trace_id="xyz")),
               ("trace_id", "type", dict(good, trace_id=7)),
               ("trace_id", "missing", {"name": "n", "value": 1}),
               ("span_id", "value", dict(good, span_id="0" * 16)),
               ("name", "missing", {"trace_id": trace, "value": 1}),
               ("name", "too_long", dict(good, name="n" * 513)),
               ("name", "type", dict(good, name=[])),
               ("value", "missing", {"trace_id": trace, "name": "n"}),
               ("value", "missing", dict(good, value=None)),
               ("value", "type", dict(good, value={})),
               ("label", "conflict", dict(good, value="a", label="b")),
               ("id", "value", dict(good, id="a/b")),
               ("id", "value", dict(good, id="summary")),
               ("id", "too_long", dict(good, id="i" * 129)),
               ("at", "value", dict(good, at="yesterday")),
               ("at", "in_future", dict(good, at=rfc3339(
                   time.time_ns() + 3600 * 10**9))),
               ("scorer", "unknown", dict(good, scorer="x")),
               ("comment", "too_long", dict(good, comment="c" * 4097)),
               ("", "type", 7)]
        scores = []
        for _, _, score in bad:
            scores += [score, dict(good, value=random.random())]
        status, reply = self.api("POST", "scores", {"scores": scores})
        self.assertEqual(status, 200, reply)
        self.assertEqual((reply["accepted"], reply["duplicate"]),
                         (len(bad), 0))
        self.assertEqual(reply["rejected"], [
            {"index": 2 * i, "field": field, "type": kind}
            for i, (field, kind, _) in enumerate(bad)])
        self.assertEqual([i is None for i in reply["ids"]],
                         [True, False] * len(bad))
        self.assertEqual(len(self.list(trace_id=trace)["data"]), len(bad))
        for _, kind, score in bad[:-1]:
            status, problem = self.api("POST", "scores", score)
            self.assertEqual(status, 400, problem)
        body = '{"trace_id":"%s","name":"n","value":1e999}' % trace
        status, _, reply = self.server.request(
            "POST", "/v1/projects/-/scores", self.admin, body,
            {"Content-Type": "application/json"})
        self.refused(400, "bad-field", (status, json.loads(reply)))

    def test_bad_bodies(self):
        good = {"trace_id": new_trace(), "name": "n", "value": 1}
        for body in ({}, {"scores": []}, {"scores": 7}, {"scores": None},
                     {"scores": [good], "x": 1},
                     {"scores": [good] * 1001}):
            status, problem = self.api("POST", "scores", body)
            self.assertEqual(status, 400, (str(body)[:80], problem))
        many = [dict(good, id="m%d" % i) for i in range(1000)]
        status, reply = self.api("POST", "scores", {"scores": many})
        self.assertEqual((status, reply["accepted"]), (200, 1000))
        status, reply = self.api("POST", "scores",
                                 {"scores": many[:500] + [good]})
        self.assertEqual((status, reply["accepted"], reply["duplicate"]),
                         (200, 1, 500))

    def test_lists(self):
        trace, span = self.trace()
        start = time.time_ns()
        for i in range(25):
            self.add(trace_id=trace, name="n%d" % (i % 2), value=i,
                     source="s%d" % (i % 3), at=rfc3339(start - i // 2),
                     **({"span_id": span} if i % 5 == 0 else {}))
        everything = self.list(trace_id=trace)["data"]
        self.assertEqual(len(everything), 25)
        times = [s["at"] for s in everything]
        self.assertEqual(times, sorted(times, reverse=True))
        for query, wanted in (
                ({}, lambda s: True),
                ({"name": "n1"}, lambda s: s["name"] == "n1"),
                ({"source": "s2"}, lambda s: s["source"] == "s2"),
                ({"span_id": span}, lambda s: s["span_id"] == span),
                ({"name": "none"}, lambda s: False)):
            expected = [s for s in everything if wanted(s)]
            got, cursor = [], None
            while True:
                page = self.list(trace_id=trace, limit=4, **query,
                                 **({"cursor": cursor} if cursor else {}))
                self.assertLessEqual(len(page["data"]), 4)
                got += page["data"]
                # What comes meanwhile is newer than the rest of the pages.
                self.add(trace_id=trace, name="new")
                cursor = page["next_cursor"]
                if cursor is None:
                    break
            self.assertEqual([s for s in got if s["name"] != "new"],
                             expected, query)
        named = self.list(name="n1")["data"]
        self.assertEqual(len(named), 12)
        for path in ("scores?trace_id=1", "scores?span_id=zz",
                     "scores?limit=0", "scores?cursor=ab",
                     "scores?start=now"):
            self.refused(400, "bad-parameter", self.api("GET", path))

    def test_deletion(self):
        score = self.add()
        path = "scores/" + score["id"]
        self.assertEqual(self.api("DELETE", path, key=self.key)[0], 403)
        self.assertEqual(self.api("DELETE", path, key=self.read)[0], 403)
        self.assertEqual(self.api("DELETE", path), (204, None))
        self.refused(404, "no-such-score", self.api("DELETE", path))
        self.refused(404, "no-such-score", self.api("GET", path))
        _, audit = self.api("GET", "audit")
        self.assertEqual((audit["data"][0]["action"],
                          audit["data"][0]["target"]),
                         ("score.delete", score["id"]))

    def test_scores_go_with_their_trace(self):
        trace, span = self.trace()
        self.add(trace_id=trace)
        self.add(trace_id=trace, span_id=span)
        other = self.add()
        self.assertEqual(self.api("DELETE", "traces/" + trace)[0], 204)
        self.assertEqual(self.list(trace_id=trace)["data"], [])
        self.refused(409, "trace-deleted", self.api("POST", "scores", {
            "trace_id": trace, "name": "n", "value": 1}))
        sender = Sender()
        batch = sender.batch([sender.step()], first=1, count=2)
        batch["scores"] = [{"n": 2, "trace_id": trace, "name": "n",
                            "value": 1, "at": rfc3339(time.time_ns())}]
        reply = self.accept(batch, accepted=1, rejected=1)
        self.assertEqual((reply["rejected"][0]["field"],
                          reply["rejected"][0]["type"]),
                         ("trace_id", "deleted"))
        # What comes anew of the trace takes scores again.
        self.accept(sender.batch([sender.step(n=3)], trace), accepted=1)
        self.add(trace_id=trace)
        self.assertEqual(self.api("GET", "scores/" + other["id"])[0], 200)

    def test_scores_of_batches(self):
        sender = Sender()
        trace, step = new_trace(), sender.step()
        batch = sender.batch([step], trace, first=1, count=3)
        batch["scores"] = [
            {"n": 2, "trace_id": trace, "name": "good", "value": 0.5,
             "label": "x", "source": "judge", "version": "7",
             "comment": "well", "at": rfc3339(time.time_ns())},
            {"n": 3, "trace_id": trace, "span_id": step["span_id"],
             "name": "ok", "value": 1, "label": "true",
             "at": rfc3339(time.time_ns() - 10**9)}]
        self.accept(batch, accepted=3)
        self.accept(batch, accepted=0, duplicate=3)
        good, ok = self.list(trace_id=trace)["data"]
        self.assertEqual(
            (good["id"], good["type"], good["value"], good["label"],
             good["source"], good["version"], good["comment"]),
            (sender.instance + "-2", "numeric", 0.5, "x", "judge", "7",
             "well"))
        self.assertEqual((ok["type"], ok["value"], ok["span_id"]),
                         ("boolean", True, step["span_id"]))
        batch = sender.batch([], trace, first=4, count=1)
        batch["scores"] = [
            {"n": 4, "trace_id": trace, "name": "x", "value": 1,
             "at": rfc3339(time.time_ns() + 3600 * 10**9)}]
        reply = self.accept(batch, accepted=0, rejected=1)
        self.assertEqual(reply["rejected"][0]["type"], "in_future")

    def test_the_summary(self):
        name = "sum-%d" % random.getrandbits(30)
        for i in range(11):
            self.add(name=name, value=i)
        for value in (True, True, False):
            self.add(name=name + "b", value=value)
        for value in ("a", "b", "a"):
            self.add(name=name + "c", value=value)
        status, reply = self.api("GET", "scores/summary", key=self.read)
        self.assertEqual(status, 200, reply)
        by_name = {row["name"]: row for row in reply["data"]}
        self.assertEqual(by_name[name], {
            "name": name, "count": 11, "numeric": 11, "mean": 5,
            "labels": [], "other_labels": 0,
            "distribution": {"min": 0, "p10": 1, "p25": 2, "p50": 5,
                             "p75": 7, "p90": 9, "max": 10}})
        row = by_name[name + "b"]
        self.assertEqual((row["count"], row["numeric"], row["labels"]), (
            3, 3, [{"label": "false", "count": 1},
                   {"label": "true", "count": 2}]))
        self.assertAlmostEqual(row["mean"], 2 / 3)
        row = by_name[name + "c"]
        self.assertEqual((row["count"], row["numeric"], row["mean"],
                          row["distribution"], row["labels"]), (
            3, 0, None, None, [{"label": "a", "count": 2},
                               {"label": "b", "count": 1}]))

    def test_projects_are_apart(self):
        score = self.add(id="mine")
        for method in ("GET", "DELETE"):
            status, _ = self.api(method, "scores/mine",
                                 key=self.server.key("two", "admin"))
            self.assertEqual(status, 404)
        theirs = dict(trace_id=score["trace_id"], name="n", value=9, id="mine")
        status, _ = self.api("POST", "scores", theirs, self.other)
        self.assertEqual(status, 201)
        self.assertEqual(self.api("GET", "scores/mine"), (200, score))


if __name__ == "__main__":
    serving.main()
