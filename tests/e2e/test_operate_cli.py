#!/usr/bin/env python3
"""llmlab jobs, export and doctor against a real server.

llmlab-test: threads timeout=300
"""

import json
import os
import tempfile
import time

import serving
from serving import Base, Sender

import sys
sys.path.insert(0, os.path.join(os.environ.get("LLMLAB_SOURCE_DIR", "."),
                                "tests", "support"))
import e2e  # noqa: E402


class Operate(Base):
    def run_cli(self, *arguments, key=None, code=0, url=None, spool=None):
        done = e2e.llmlab(*arguments, env={
            "LLMLAB_URL": url or "http://127.0.0.1:%d" % self.server.port,
            "LLMLAB_API_KEY": key or self.admin,
            "LLMLAB_SPOOL_MODE": spool or "auto",
            "HOME": self.temporary.name})
        self.assertEqual(done.returncode, code,
                         done.stdout.decode() + done.stderr.decode())
        return done.stdout.decode(), done.stderr.decode()

    def test_jobs(self):
        out, _ = self.run_cli("jobs")
        self.assertIn("retention", out)
        rows = [json.loads(line) for line in self.run_cli(
            "jobs", "--json", "--kind", "retention")[0].splitlines()]
        job = str(rows[0]["id"])
        self.assertIn("retention " + job, self.run_cli("jobs", "run", job)[0])
        deadline = time.monotonic() + 20
        while True:
            shown = json.loads(self.run_cli("jobs", "show", job, "--json")[0])
            if shown["succeeded_at"] is not None:
                break
            self.assertLess(time.monotonic(), deadline)
        self.assertIn("last done", self.run_cli("jobs", "show", job)[0])
        out, _ = self.run_cli("jobs", "schedule", job, "@daily")
        self.assertIn("@daily", out)
        _, told = self.run_cli("jobs", "schedule", job, "often", code=1)
        self.assertIn("cron form", told)
        self.run_cli("jobs", "schedule", job, "7 * * * *")
        self.run_cli("jobs", "show", "99999", code=1)
        self.run_cli("jobs", "show", code=2)
        self.run_cli("jobs", key=self.read, code=1)

    def test_export(self):
        sender = Sender()
        self.accept(sender.batch([sender.step() for _ in range(450)]))
        for of, least in (("traces", 1), ("calls", 450), ("costs", 1)):
            out, _ = self.run_cli("export", of, key=self.read)
            rows = [json.loads(line) for line in out.splitlines()]
            self.assertGreaterEqual(len(rows), least)
            path = os.path.join(self.temporary.name, of + ".ndjson")
            self.run_cli("export", of, "-o", path, key=self.read)
            with open(path) as file:
                self.assertEqual(len(file.readlines()), len(rows))
        self.run_cli("export", code=2)
        path = os.path.join(self.temporary.name, "none.ndjson")
        _, told = self.run_cli("export", "dreams", "-o", path, code=1)
        self.assertIn("traces, calls, costs", told)
        self.assertFalse(os.path.exists(path))
        self.run_cli("export", "calls", "-o", "/nowhere/x", code=1)

    def doctor(self, **arguments):
        code = arguments.pop("code", 0)
        out, _ = self.run_cli("doctor", "--json", code=code, **arguments)
        return {row["check"]: row for row in json.loads(out)}

    def test_doctor(self):
        found = self.doctor(key=self.key)
        for check in ("key", "url", "server", "clock", "ready", "access",
                      "version", "spool"):
            self.assertEqual(found[check]["result"], "ok", found[check])
        self.assertIn("one", found["access"]["detail"])
        found = self.doctor(key=self.key, spool="off")
        self.assertEqual(found["spool"]["result"], "warning")
        out, _ = self.run_cli("doctor")
        self.assertIn("ok       server", out)
        bad = self.key[:-1] + ("a" if self.key[-1] != "a" else "b")
        self.assertEqual(self.doctor(key=bad, code=1)["key"]["result"],
                         "failed")
        other = e2e.subprocess.run(
            [serving.SERVER, "key", "create", "--data",
             tempfile.mkdtemp(dir=self.temporary.name), "--project", "x"],
            capture_output=True, text=True, check=True).stdout.strip()
        self.assertEqual(self.doctor(key=other, code=1)["access"]["result"],
                         "failed")
        found = self.doctor(url="http://127.0.0.1:1", code=1)
        self.assertEqual(found["server"]["result"], "failed")
        found = self.doctor(url="http://192.0.2.1.invalid:1", code=1)
        self.assertEqual(found["url"]["result"], "warning")
        self.assertEqual(self.doctor(url="ftp://x", code=1)["url"]["result"],
                         "failed")
        out, _ = self.run_cli("doctor", "--health")
        self.assertEqual(out, "ok       ready    the server takes work\n")
        self.run_cli("doctor", "--health", url="http://127.0.0.1:1", code=1)
        self.assertNotIn(self.key, self.run_cli("doctor", key=self.key)[0])


if __name__ == "__main__":
    serving.main()
