#!/usr/bin/env python3
"""llmlab-server as a process: killed, stopped, on a full disk, with bad options.

llmlab-test: threads timeout=300
"""

import concurrent.futures
import decimal
import os
import random
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest

import serving
from serving import SERVER, Base, Sender


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
    def run_server(self, *arguments, **more):
        with tempfile.TemporaryDirectory() as folder:
            return subprocess.run([SERVER, *arguments], cwd=folder,
                                  capture_output=True, text=True, timeout=20,
                                  **more)

    def test_a_disk_that_is_full_at_the_start_is_told(self):
        for arguments in (("--listen", "127.0.0.1:0"),
                          ("key", "create", "--project", "p")):
            done = self.run_server(
                *arguments, preexec_fn=lambda: serving.limit_files(100_000))
            self.assertEqual(done.returncode, 1, arguments)
            self.assertIn("llmlab-server: ", done.stderr)

    def test_help_and_bad_options(self):
        done = self.run_server("-h")
        self.assertEqual(done.returncode, 0)
        for option in ("--listen", "--data", "--behind-proxy", "--tls-cert",
                       "--retention-days", "key create"):
            self.assertIn(option, done.stdout)
        for arguments in (("--what",), ("extra",), ("--max-depth", "x"),
                          ("--max-body", "-1"), ("--log-level", "loud"),
                          ("--tls-cert", "a"), ("--port", "7000"),
                          ("--port=7000",), ("--behind",)):
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
            path = os.path.join(folder, "llmlab.db")
            db = sqlite3.connect(path)
            db.execute("PRAGMA user_version = 999")
            db.close()
            done = self.run_server("--db", path)
            self.assertEqual(done.returncode, 1)
            self.assertIn("999", done.stderr)


if __name__ == "__main__":
    serving.main()
