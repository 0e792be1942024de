#!/usr/bin/env python3
"""Exports of llmlab-server: by a job and as a stream; killed half-way.

llmlab-test: threads timeout=300
"""

import decimal
import gzip
import http.client
import json
import os
import signal
import time

import serving
from serving import Base, Sender, new_trace, rfc3339

DAY = 86400 * 10**9


class Exports(Base):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        now = time.time_ns()
        cls.traces, cls.calls = set(), set()
        for i in range(12):
            sender = Sender()
            trace = new_trace()
            steps = [sender.step(start=rfc3339(now - i * DAY + n), name="q\"ü")
                     for n in range(250 if i == 3 else 60)]
            status, reply = cls.server.post(cls.key, sender.batch(steps, trace))
            assert (status, reply["accepted"]) == (200, len(steps)), reply
            cls.traces.add(trace)
            cls.calls |= {(trace, s["span_id"]) for s in steps}
        sender = Sender()
        cls.server.post(cls.other, sender.batch([sender.step()]))
        cls.range = "start=%s&end=%s" % (rfc3339(
            (now - 20 * DAY) // DAY * DAY)[:19] + "Z", rfc3339(
                (now + DAY) // DAY * DAY)[:19] + "Z")

    def stream(self, of, gzipped=False, key=None, range_=None):
        status, headers, body = self.server.request(
            "GET", "/v1/projects/-/exports/stream?of=%s&%s" % (
                of, range_ or self.range), key or self.read,
            headers={"Accept-Encoding": "gzip"} if gzipped else {})
        self.assertEqual(status, 200, body)
        self.assertEqual(headers["Content-Type"], "application/x-ndjson")
        if gzipped:
            self.assertEqual(headers["Content-Encoding"], "gzip")
            body = gzip.decompress(body)
        return [json.loads(line) for line in body.splitlines()]

    def test_streams(self):
        for gzipped in (False, True):
            rows = self.stream("traces", gzipped)
            self.assertEqual({r["trace_id"] for r in rows}, self.traces)
            self.assertEqual(len(rows), len(self.traces))
            rows = self.stream("calls", gzipped)
            self.assertEqual({(r["trace_id"], r["span_id"]) for r in rows},
                             self.calls)
            self.assertEqual(len(rows), len(self.calls))
            self.assertEqual(rows[0]["name"], "q\"ü")
            rows = self.stream("costs", gzipped)
            total = self.server.get(self.read, "costs?" + self.range)[1][
                "total"]
            self.assertEqual(sum(r["calls"] for r in rows), len(self.calls))
            self.assertEqual(sum(decimal.Decimal(r["cost_usd"]) for r in rows),
                             decimal.Decimal(total["cost_usd"]))
            self.assertEqual(len({r["start"] for r in rows}), 12)
        self.assertEqual(len(self.stream("calls", key=self.other_read)), 1)
        self.assertEqual(self.stream(
            "calls", range_="start=2024-01-01T00:00:00Z"
            "&end=2024-01-02T00:00:00Z"), [])

    def test_bad(self):
        for path in ("exports/stream", "exports/stream?of=x",
                     "exports/stream?of=calls&start=x"):
            self.refused(400, "bad-parameter", self.server.get(self.read, path))
        self.refused(403, "forbidden", self.server.get(
            self.key, "exports/stream?of=calls"))
        for body in ({"of": "x"}, {"of": "calls", "start": "x"},
                     {"of": "calls", "start": "2026-01-02T00:00:00Z",
                      "end": "2026-01-01T00:00:00Z"}):
            self.refused(400, "bad-field", self.create(body))
        self.refused(403, "forbidden", self.create({"of": "calls"}, self.read))
        self.refused(404, "no-such-job", self.server.get(
            self.read, "exports/99999"))

    def create(self, body, key=None):
        status, _, reply = self.server.request(
            "POST", "/v1/projects/one/exports", key or self.admin,
            json.dumps(body), {"Content-Type": "application/json"})
        return status, json.loads(reply)

    def finish(self, job, project="one"):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            status, now = self.server.get(
                self.admin, "exports/%d" % job["id"], project)
            self.assertEqual(status, 200, now)
            if now["state"] in ("done", "dead"):
                self.assertEqual(now["state"], "done", now)
                return now
            time.sleep(0.02)
        self.fail(now)

    def file(self, job, key=None, code=200):
        status, headers, body = self.server.request(
            "GET", "/v1/projects/-/exports/%d/file" % job["id"],
            key or self.read)
        self.assertEqual(status, code, body)
        if code == 200:
            self.assertEqual(headers["Content-Type"], "application/gzip")
            self.assertIn("one-%d.ndjson.gz" % job["id"],
                          headers["Content-Disposition"])
            return [json.loads(line)
                    for line in gzip.decompress(body).splitlines()]
        return json.loads(body)

    def test_files(self):
        start = rfc3339(time.time_ns() - 20 * DAY)
        jobs = {}
        for of, count in (("traces", len(self.traces)),
                          ("calls", len(self.calls)), ("costs", None)):
            status, job = self.create({"of": of, "start": start})
            self.assertEqual((status, job["kind"]), (202, "export"), job)
            jobs[of] = self.finish(job)
            rows = self.file(job)
            self.assertEqual(len(rows), jobs[of]["result"]["rows"])
            if count is not None:
                self.assertEqual(len(rows), count)
        status, listed = self.server.get(self.read, "exports")
        self.assertEqual({j["id"] for j in listed["data"]} >=
                         {j["id"] for j in jobs.values()}, True)
        # Another project's is as one that does not exist.
        for path in ("exports/%d", "exports/%d/file"):
            self.refused(404, "no-such-job", self.server.get(
                self.other_read, path % jobs["calls"]["id"]))
        retention = json.loads(self.server.request(
            "GET", "/v1/jobs?kind=retention", self.admin)[2])["data"][0]["id"]
        self.refused(404, "no-such-job", self.server.get(
            self.read, "exports/%d" % retention))
        # An empty one is a file too.
        status, job = self.create({"of": "calls",
                                   "start": "2024-01-01T00:00:00Z",
                                   "end": "2024-01-02T00:00:00Z"})
        self.finish(job)
        self.assertEqual(self.file(job), [])
        # It goes after a week.
        folder = os.path.join(self.server.folder, "llmlab.db-exports")
        path = os.path.join(folder, "%d.ndjson.gz" % job["id"])
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        old = time.time() - 8 * 86400
        os.utime(path, (old, old))
        self.server.request("POST", "/v1/jobs/%d/run" % retention, self.admin)
        deadline = time.monotonic() + 20
        while os.path.exists(path) and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertEqual(self.file(job, code=410)["type"],
                         "urn:llmlab:problem:export-gone")
        self.assertEqual(len(self.file(jobs["traces"])), len(self.traces))

    def test_killed_half_way(self):
        sender = Sender()
        for _ in range(12):
            self.accept(sender.batch([
                sender.step(start=rfc3339(time.time_ns() - 25 * DAY + n),
                            attributes={"text": os.urandom(200).hex()})
                for n in range(2000)]), self.other, accepted=2000)
        status, _, reply = self.server.request(
            "POST", "/v1/projects/two/exports", self.admin, json.dumps({
                "of": "calls"}), {"Content-Type": "application/json"})
        job = json.loads(reply)
        self.assertEqual(status, 202, job)
        kills = 0
        while kills < 4:
            time.sleep(0.1)
            self.server.process.kill()
            self.server.stop(signal.SIGKILL)
            kills += 1
            self.server.start()
            now = self.server.get(self.admin, "exports/%d" % job["id"],
                                  "two")[1]
            if now["state"] == "done":
                break
        now = self.finish(job, "two")
        body = self.server.request(
            "GET", "/v1/projects/two/exports/%d/file" % job["id"],
            self.admin)[2]
        ids = [json.loads(line)["span_id"]
               for line in gzip.decompress(body).splitlines()]
        self.assertEqual(len(ids), 24001)
        self.assertEqual(len(set(ids)), 24001)
        print("killed %d times, %d rows, attempt %d" % (
            kills, now["result"]["rows"], now["attempt"]))

    def test_a_stream_that_nobody_reads_on(self):
        for _ in range(20):
            link = http.client.HTTPConnection("127.0.0.1", self.server.port)
            link.request("GET", "/v1/projects/-/exports/stream?of=calls&" +
                         self.range, headers={"Authorization": "Bearer " +
                                              self.read})
            link.getresponse().read(100)
            link.close()
        self.assertEqual(len(self.stream("traces")), len(self.traces))


if __name__ == "__main__":
    serving.main()
