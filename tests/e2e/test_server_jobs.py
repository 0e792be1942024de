#!/usr/bin/env python3
"""Jobs of llmlab-server: the API, retention, and what survives kill -9.

llmlab-test: threads timeout=300
"""

import json
import os
import signal
import threading
import time

import serving
from serving import Base, Sender, new_trace, rfc3339

DAY = 86400 * 10**9


class Jobs(Base):
    options = ("--retention-days", "60")

    def api(self, method, path, body=None, key=None, headers=None):
        sent = dict(headers or {})
        if body is not None:
            body = json.dumps(body)
            sent["Content-Type"] = "application/json"
        status, _, reply = self.server.request(
            method, path, key or self.admin, body, sent)
        return status, json.loads(reply) if reply else None

    def standing(self, kind):
        status, jobs = self.api("GET", "/v1/jobs?kind=" + kind)
        self.assertEqual(status, 200, jobs)
        return [j for j in jobs["data"] if j["kind"] == kind][-1]

    def await_job(self, job, *states, since=None):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            status, now = self.api("GET", "/v1/jobs/%d" % job)
            self.assertEqual(status, 200, now)
            if now["state"] in states and now["finished_at"] != since:
                return now
            time.sleep(0.02)
        self.fail(now)

    def run_standing(self, kind):
        job = self.standing(kind)
        status, now = self.api("POST", "/v1/jobs/%d/run" % job["id"])
        self.assertEqual(status, 202, now)
        return self.await_job(job["id"], "waiting", "done", "dead",
                              since=job["finished_at"])

    def test_who_may(self):
        for path in ("/v1/jobs", "/v1/jobs/1"):
            for key in (self.key, self.read):
                self.refused(403, "forbidden", self.api("GET", path, key=key))
        self.refused(403, "forbidden", self.api(
            "POST", "/v1/jobs/1/run", key=self.read))
        self.refused(403, "forbidden", self.api(
            "PATCH", "/v1/projects/-/settings", {"retention_days": 1},
            self.read))
        self.refused(404, "no-such-job", self.api("GET", "/v1/jobs/99999"))
        self.refused(404, "no-such-job", self.api("GET", "/v1/jobs/x"))

    def test_bad_requests(self):
        self.refused(400, "missing-field", self.api("POST", "/v1/jobs", {}))
        self.refused(400, "unknown-field", self.api(
            "POST", "/v1/jobs", {"kind": "retention", "more": 1}))
        for body, field in (({"kind": "nothing"}, "kind"),
                            ({"kind": "retention", "schedule": "often"},
                             "schedule"),
                            ({"kind": "retention", "arguments": []},
                             "arguments"),
                            ({"kind": "retention",
                              "arguments": {"x": "y" * 3000}}, "arguments")):
            problem = self.refused(400, "bad-field",
                                   self.api("POST", "/v1/jobs", body))
            self.assertEqual(problem["field"], field)
        self.refused(400, "bad-parameter",
                     self.api("GET", "/v1/jobs?state=lost"))
        for days in (0, -1, 36501, 1.5, "7", True):
            self.refused(400, "bad-field", self.api(
                "PATCH", "/v1/projects/-/settings", {"retention_days": days}))

    def test_run_change_cancel(self):
        done = self.run_standing("retention")
        self.assertEqual(done["state"], "waiting")
        self.assertEqual(done["error"], None)
        self.assertEqual(done["finished_at"], done["succeeded_at"])
        self.assertGreater(done["due_at"], done["finished_at"])

        body = {"kind": "retention", "arguments": {"a": 1.50, "b": "x"}}
        headers = {"Idempotency-Key": new_trace()}
        status, job = self.api("POST", "/v1/jobs", body, headers=headers)
        self.assertEqual(status, 202, job)
        self.assertEqual(job["arguments"], {"a": 1.5, "b": "x"})
        again = self.api("POST", "/v1/jobs", body, headers=headers)
        self.assertEqual(again, (202, job))
        self.await_job(job["id"], "done")

        status, job = self.api("POST", "/v1/jobs", {
            "kind": "retention", "schedule": "0 0 29 2 *"})
        self.assertEqual((status, job["state"]), (202, "waiting"))
        self.assertIn("-02-29T00:00:00", job["due_at"])
        path = "/v1/jobs/%d" % job["id"]
        self.refused(400, "bad-field", self.api("PATCH", path, {
            "schedule": "0 0 0 * *"}))
        status, job = self.api("PATCH", path, {"schedule": "@hourly"})
        self.assertEqual((status, job["schedule"]), (200, "@hourly"))
        status, job = self.api("POST", path + "/cancel")
        self.assertEqual((status, job["state"]), (202, "cancelled"))
        self.assertEqual(job["due_at"], None)
        status, jobs = self.api("GET", "/v1/jobs?state=cancelled")
        self.assertIn(job["id"], [j["id"] for j in jobs["data"]])
        status, audit = self.api("GET", "/v1/audit?limit=1000")
        self.assertIn(("job.cancel", str(job["id"])),
                      [(e["action"], e["target"]) for e in audit["data"]])

    def test_check_and_backup(self):
        sender = Sender()
        self.accept(sender.batch([sender.step(session="s%d" % (n % 3))
                                  for n in range(20)]))
        done = self.run_standing("check")
        self.assertEqual((done["state"], done["error"]), ("waiting", None))
        self.assertEqual(done["result"]["differences"], 0)
        self.assertGreaterEqual(done["result"]["spans"], 20)
        for _ in range(4):
            done = self.run_standing("backup")
            self.assertEqual((done["state"], done["error"]), ("done", None))
            time.sleep(1.01)
        folder = os.path.join(self.server.folder, "llmlab.db-backups")
        self.assertEqual(len(os.listdir(folder)), 3)
        self.assertIn(done["result"]["file"], os.listdir(folder))
        # A sum that is wrong makes the job fail, and the log tells.
        status, job = self.api("POST", "/v1/jobs", {
            "kind": "check", "arguments": {"hours": 1}})
        self.assertEqual(status, 202, job)
        self.await_job(job["id"], "done")

    def test_retention(self):
        server, now = self.server, time.time_ns()
        sender = Sender()
        ids = {}
        for days in (50, 20, 3, 0):
            ids[days] = new_trace()
            self.accept(sender.batch(
                [sender.step(start=rfc3339(now - days * DAY + i))
                 for i in range(2500 if days == 20 else 40)], ids[days]))
        long = new_trace()
        self.accept(sender.batch([sender.step(start=rfc3339(now - 30 * DAY)),
                                  sender.step(start=rfc3339(now))], long))
        before = self.range_total()

        self.assertEqual(self.api("GET", "/v1/projects/-/settings")[1], {
            "retention_days": None, "server_retention_days": 60})
        status, settings = self.api("PATCH", "/v1/projects/-/settings",
                                    {"retention_days": 10})
        self.assertEqual((status, settings["retention_days"]), (200, 10))
        old = sender.batch([sender.step(start=rfc3339(now - 11 * DAY))])
        self.assertEqual(
            self.accept(old, rejected=1, accepted=0)["rejected"][0]["type"],
            "too_old")
        # Ingest goes on while a job deletes.
        slowest, stop = [0.0], threading.Event()

        def send():
            mine = Sender()
            while not stop.is_set():
                began = time.monotonic()
                self.accept(mine.batch([mine.step()]))
                slowest[0] = max(slowest[0], time.monotonic() - began)

        thread = threading.Thread(target=send)
        thread.start()
        done = self.run_standing("retention")
        stop.set()
        thread.join()
        self.assertEqual(done["result"], {"spans": 2541, "traces": 2})
        self.assertLess(slowest[0], 2)

        for days, there in ((50, False), (20, False), (3, True), (0, True)):
            status, _ = server.get(self.read, "traces/" + ids[days])
            self.assertEqual(status, 200 if there else 404, days)
        status, trace = server.get(self.read, "traces/" + long)
        self.assertEqual((trace["steps"], len(trace["tree"])), (2, 1))
        after = self.range_total()
        self.assertEqual(after["spans"] - before["spans"],
                         after["calls"] - before["calls"])
        by_day = server.get(
            self.read, "costs?granularity=daily&start=%s&end=%s" % (
                rfc3339((now - 51 * DAY) // DAY * DAY)[:19] + "Z",
                rfc3339((now - 19 * DAY) // DAY * DAY)[:19] + "Z"))[1]
        self.assertEqual(by_day["total"]["spans"], 2541)
        # Nothing is left to do, and the sums stay.
        self.assertEqual(self.run_standing("retention")["result"],
                         {"spans": 0, "traces": 0})
        self.assertEqual(self.range_total(), after)
        self.api("PATCH", "/v1/projects/-/settings", {"retention_days": None})

    def range_total(self):
        today = time.strftime("%Y-%m-%d", time.gmtime())
        start = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 70 * 86400))
        status, costs = self.server.get(
            self.read, "costs?start_date=%s&end_date=%s" % (start, today))
        self.assertEqual(status, 200, costs)
        return costs["total"]

    def test_a_killed_job_runs_again(self):
        now, sender = time.time_ns(), Sender()
        for _ in range(8):
            self.accept(sender.batch(
                [sender.step(start=rfc3339(now - 59 * DAY + i))
                 for i in range(2500)]))
        before = self.range_total()
        self.api("PATCH", "/v1/projects/-/settings", {"retention_days": 30})
        job = self.standing("retention")
        self.api("POST", "/v1/jobs/%d/run" % job["id"])
        deadline = time.monotonic() + 20
        while self.api("GET", "/v1/jobs/%d" % job["id"])[1][
                "state"] != "running" and time.monotonic() < deadline:
            pass
        self.server.process.kill()
        self.server.stop(signal.SIGKILL)
        self.server.start()
        done = self.await_job(job["id"], "waiting", since=job["finished_at"])
        self.assertEqual(done["error"], None)
        self.assertEqual(self.range_total(), before)
        self.api("PATCH", "/v1/projects/-/settings", {"retention_days": None})


if __name__ == "__main__":
    serving.main()
