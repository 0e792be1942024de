#!/usr/bin/env python3
"""llmlab-server backup, restore, compact and check: while it runs and while it
does not, on good files and on damaged ones.

llmlab-test: threads timeout=300
"""

import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

import serving
from serving import SERVER, Base, Sender, Server, new_trace, rfc3339

HOUR = 3600 * 10**9


def run(folder, *arguments):
    done = subprocess.run([SERVER, arguments[0], "--data", folder, "--json",
                           *arguments[1:]], capture_output=True, text=True,
                          timeout=120)
    line = done.stdout.strip()
    return done.returncode, json.loads(line) if line else None, done.stderr


def fill(server, key, batches=6, steps=50, seed=0):
    """All that makes sums: users, tags, errors, children, the unsampled."""
    sender = Sender()
    for i in range(batches):
        start = time.time_ns() - (i * 7) * HOUR
        root = "%016x" % (i + 1 + seed)
        rows = [sender.step(
            span_id=root, usage={"input_tokens": 5, "output_tokens": 1},
            start=rfc3339(start))]
        rows += [sender.step(
            start=rfc3339(start + n * 10**9), user="u%d" % (n % 3),
            tags=["t%d" % (n % 4), "all"], agent="a%d" % (n % 2),
            parent_id=root if n % 5 == 0 else None,
            status="error" if n % 9 == 0 else "success",
            session="s%d" % (n % 2) if i % 2 else None,
            model=("gpt-4o-mini", "gpt-4o", "nobody-knows")[n % 3],
            usage=... if n % 11 == 0 else {
                "input_tokens": 100 + n, "cache_read_tokens": n,
                "output_tokens": 7 * n}) for n in range(steps)]
        status, reply = server.post(key, sender.batch(
            rows, new_trace(), agent_name="late", user="other"))
        assert status == 200 and not reply["rejected"], reply
    batch = sender.batch([], first=sender.next, count=4)
    batch["batch"]["unsampled"] = [unsampled(sender.next, 4)]
    status, reply = server.post(key, batch)
    assert (status, reply["accepted"]) == (200, 4), reply
    sender.next += 4


def unsampled(first, count):
    return {"n": [[first, first + count - 1]], "calls": count,
            "start": rfc3339(time.time_ns()), "type": "llm_call",
            "provider": "openai", "model": "gpt-4o-mini", "agent": "a1",
            "status": "success", "user": "u1", "tags": ["t1"],
            "usage": {"input_tokens": 40, "output_tokens": 8},
            "cost": "0.00001", "latency_ms": 40}


class Upkeep(Base):
    def check(self, *options, differences=0):
        code, result, told = run(self.server.folder, "check", *options)
        self.assertEqual(result["differences"], differences, (result, told))
        self.assertEqual(code, 3 if differences else 0, told)
        return result

    def test_check_finds_nothing(self):
        fill(self.server, self.key)
        fill(self.server, self.other, seed=100)
        before = self.check()
        self.assertGreater(before["spans"], 600)
        self.assertGreater(before["traces"], 0)
        self.assertGreater(before["rows"], 100)
        self.assertLess(self.check("--hours", "3")["spans"], before["spans"])

    def test_backup_while_it_is_written_to(self):
        path = os.path.join(self.temporary.name, "backup.db")
        fill(self.server, self.key)
        stop = threading.Event()

        def send():
            mine = Sender()
            while not stop.is_set():
                self.accept(mine.batch([mine.step() for _ in range(20)]))

        thread = threading.Thread(target=send)
        thread.start()
        try:
            for _ in range(3):
                code, result, told = run(self.server.folder, "backup", path)
                self.assertEqual((code, result["ok"]), (0, True), told)
                self.assertEqual(result["bytes"], os.path.getsize(path))
        finally:
            stop.set()
            thread.join()
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with tempfile.TemporaryDirectory() as folder:
            code, result, told = run(folder, "restore", path)
            self.assertEqual(code, 0, told)
            code, result, told = run(folder, "check")
            self.assertEqual((code, result["differences"]), (0, 0), told)
            self.assertGreater(result["spans"], 300)
            shutil.copy(
                os.path.join(self.server.folder, "llmlab.db-master-key"),
                folder)
            again = Server(folder).start()
            status, costs = again.get(self.read, "costs")
            self.assertEqual(status, 200, costs)
            self.assertGreaterEqual(costs["total"]["spans"], 300)
            self.assertEqual(again.stop(), 0)

    def test_restore_and_compact_refuse_a_running_server(self):
        path = os.path.join(self.temporary.name, "some.db")
        self.assertEqual(run(self.server.folder, "backup", path)[0], 0)
        for command in (("restore", path), ("compact",)):
            code, result, told = run(self.server.folder, *command)
            self.assertEqual((code, result["ok"]), (1, False))
            self.assertIn("serves", told)
        self.assertEqual(self.server.get(self.read, "costs")[0], 200)


class Erase(Base):
    def check(self):
        code, result, told = run(self.server.folder, "check")
        self.assertEqual((code, result["differences"]), (0, 0), told)

    def delete(self, path, key=None):
        status, _, reply = self.server.request(
            "DELETE", "/v1/projects/-/" + path, key or self.admin)
        return status, json.loads(reply) if reply else None

    def finish(self, job):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            _, _, reply = self.server.request(
                "GET", "/v1/jobs/%d" % job["id"], self.admin)
            now = json.loads(reply)
            if now["state"] in ("done", "dead"):
                self.assertEqual(now["state"], "done", now)
                return now
            time.sleep(0.02)
        self.fail(now)

    def test_delete_a_trace(self):
        sender, trace = Sender(), new_trace()
        batch = sender.batch([sender.step(user="ann", tags=["x"])
                              for _ in range(30)], trace)
        self.accept(batch, accepted=30)
        late = sender.batch([sender.step()], trace)
        before = self.total()
        for key, code, word in ((self.read, 403, "forbidden"),
                                (self.key, 403, "forbidden")):
            self.refused(code, word, self.delete("traces/" + trace, key))
        self.refused(404, "no-such-trace", self.delete("traces/" + new_trace()))
        self.refused(400, "bad-parameter", self.delete("traces/zz"))
        self.assertEqual(self.delete("traces/" + trace), (204, None))
        self.assertEqual(self.server.get(self.read, "traces/" + trace)[0], 404)
        self.refused(404, "no-such-trace", self.delete("traces/" + trace))
        self.assertEqual(self.total(), before)
        # What a client sends again is known, what is new is new.
        self.accept(batch, accepted=0, duplicate=30)
        self.check()
        self.accept(late, accepted=1)
        self.assertEqual(self.server.get(
            self.read, "traces/" + trace)[1]["steps"], 1)
        self.check()
        _, _, audit = self.server.request(
            "GET", "/v1/projects/-/audit", self.admin)
        self.assertIn(("trace.delete", trace), [
            (e["action"], e["target"]) for e in json.loads(audit)["data"]])

    def test_delete_a_long_trace(self):
        sender, trace = Sender(), new_trace()
        for _ in range(3):
            self.accept(sender.batch([sender.step() for _ in range(2500)],
                                     trace))
        before = self.total()
        status, job = self.delete("traces/" + trace)
        self.assertEqual((status, job["kind"]), (202, "erase"))
        self.assertEqual(self.finish(job)["result"],
                         {"spans": 7500, "traces": 1})
        self.assertEqual(self.server.get(self.read, "traces/" + trace)[0], 404)
        self.assertEqual(self.total(), before)
        self.check()

    def test_erase_a_user(self):
        name = "Zoë/<b>\"' %"
        sender, ids = Sender(), []
        for i in range(40):
            ids.append(new_trace())
            self.accept(sender.batch(
                [sender.step(name="secret-of-zoe", user=name if i % 2 else "b",
                             tags=["x"], session="s-of-zoe" if i % 2 else "s",
                             attributes={"mail": "zoe@example.org"} if i % 2
                             else {}) for _ in range(60)], ids[-1]))
        before = self.total()
        path = "users?user=" + urllib.parse.quote(name, safe="")
        self.refused(403, "forbidden", self.delete(path, self.read))
        self.refused(400, "bad-parameter", self.delete("users"))
        status, job = self.delete(path)
        self.assertEqual(status, 202, job)
        done = self.finish(job)
        self.assertEqual(done["result"], {"spans": 1200, "traces": 20})
        self.assertEqual(done["arguments"], {"user": None})
        for i, trace in enumerate(ids):
            status, _ = self.server.get(self.read, "traces/" + trace)
            self.assertEqual(status, 404 if i % 2 else 200)
        self.assertEqual(self.total(), before)
        self.check()
        self.assertEqual(self.server.get(
            self.read, "traces?user=" + urllib.parse.quote(name))[1]["data"],
            [])
        # Who comes again is somebody new.
        self.accept(sender.batch([sender.step(user=name)]), accepted=1)
        self.check()
        self.assertEqual(self.finish(self.delete(path)[1])["result"],
                         {"spans": 1, "traces": 1})
        self.assertEqual(self.finish(self.delete("users?user=nobody")[1])[
            "result"], {"spans": 0, "traces": 0})
        self.check()
        self.server.stop()
        self.assertEqual(run(self.server.folder, "compact")[0], 0)
        for entry in os.scandir(self.server.folder):
            if entry.name.startswith("llmlab.db") and entry.is_file():
                with open(entry.path, "rb") as file:
                    text = file.read()
                for word in ("Zoë", "secret-of-zoe\x00", "s-of-zoe",
                             "zoe@example.org"):
                    self.assertNotIn(word.encode(), text, entry.name)
        self.server.start()


class Stopped(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="llmlab-upkeep-")
        self.addCleanup(self.temporary.cleanup)
        self.folder = self.temporary.name
        self.db = os.path.join(self.folder, "llmlab.db")
        self.server = Server(self.folder)
        self.key = self.server.key("one", "ingest")
        self.read = self.server.key("one", "read")
        self.server.start()
        fill(self.server, self.key)

    def sql(self, text):
        connection = sqlite3.connect(self.db)
        with connection:
            changed = connection.execute(text).rowcount
        connection.close()
        return changed

    def test_compact_gives_back(self):
        self.assertEqual(self.server.stop(), 0)
        self.sql("CREATE TABLE filler AS WITH RECURSIVE n(i) AS (SELECT 1 "
                 "UNION ALL SELECT i+1 FROM n WHERE i<4000) SELECT i,"
                 "randomblob(1000) AS b FROM n")
        self.sql("DROP TABLE filler")
        size = os.path.getsize(self.db)
        code, result, told = run(self.folder, "compact")
        self.assertEqual(code, 0, told)
        self.assertEqual(result["bytes"], os.path.getsize(self.db))
        self.assertLess(result["bytes"], size - 3_000_000)
        self.assertEqual(run(self.folder, "check")[0], 0)
        self.server.start()
        fill(self.server, self.key, seed=50)
        self.assertEqual(self.server.stop(), 0)
        self.assertEqual(run(self.folder, "check")[0], 0)

    def test_check_tells_what_is_wrong(self):
        self.assertEqual(self.server.stop(), 0)
        copy = os.path.join(self.folder, "copy.db")
        self.assertEqual(run(self.folder, "backup", copy)[0], 0)
        for text, word in (
                ("UPDATE span SET cost_rest=1-cost_rest WHERE counted=1 AND "
                 "cost_rest IN (0,1)", "cost_rest"),
                ("UPDATE span SET duration_ns=duration_ns+10000000",
                 "duration_ns"),
                ("DELETE FROM span WHERE rowid IS NULL OR span_id=1", "spans"),
                ("DELETE FROM rollup WHERE view=4 AND level=0", "spans"),
                ("DELETE FROM rollup WHERE view=5 AND level=2", "spans"),
                ("DELETE FROM rollup WHERE view=1 AND level=3", "spans"),
                ("UPDATE rollup SET latency=NULL WHERE view=2 AND level=2",
                 "latency"),
                ("UPDATE trace SET steps=steps+1", "steps"),
                ("DELETE FROM trace", "steps"),
                ("UPDATE session_sum SET steps=steps+1 WHERE number=("
                 "SELECT min(number) FROM session_sum)", "session"),
                ("DELETE FROM remainder", "calls")):
            text = text.replace("rowid IS NULL OR ", "")
            self.assertGreater(self.sql(text), 0, text)
            code, result, told = run(self.folder, "check")
            self.assertEqual(code, 3, (text, told))
            self.assertGreater(result["differences"], 0)
            self.assertIn(word, told, text)
            code, result, told = run(self.folder, "restore", copy)
            self.assertEqual(code, 0, told)
            self.assertEqual(run(self.folder, "check")[0], 0)

    def test_restore_refuses_what_is_no_backup(self):
        self.assertEqual(self.server.stop(), 0)
        good = os.path.join(self.folder, "good.db")
        self.assertEqual(run(self.folder, "backup", good)[0], 0)
        bad = os.path.join(self.folder, "bad.db")
        with open(good, "rb") as file:
            bytes_ = file.read()
        other = sqlite3.connect(os.path.join(self.folder, "other.db"))
        other.execute("CREATE TABLE t(x)")
        other.close()
        newer = sqlite3.connect(good)
        for content in (b"", b"nothing of the kind", bytes_[:len(bytes_) // 2],
                        bytes_[:30000] + bytes(20000) + bytes_[50000:]):
            with open(bad, "wb") as file:
                file.write(content)
            code, _, told = run(self.folder, "restore", bad)
            self.assertEqual(code, 1, told)
        for name in ("other.db", "missing.db"):
            code, _, _ = run(self.folder, "restore",
                             os.path.join(self.folder, name))
            self.assertEqual(code, 1)
        newer.execute("PRAGMA user_version=999")
        newer.close()
        code, _, told = run(self.folder, "restore", good)
        self.assertEqual(code, 1)
        self.assertIn("newer", told)
        self.assertEqual(run(self.folder, "check")[0], 0)

    def test_nowhere(self):
        self.assertEqual(self.server.stop(), 0)
        self.assertEqual(run(self.folder, "backup", "/nowhere/x.db")[0], 1)
        self.assertEqual(run(self.folder, "backup")[0], 2)
        with tempfile.TemporaryDirectory() as empty:
            for command in ("check", "compact"):
                self.assertEqual(run(empty, command)[0], 1)
            self.assertEqual(run(empty, "backup", empty + "/x")[0], 1)
            self.assertEqual(os.listdir(empty), [])


if __name__ == "__main__":
    serving.main()
