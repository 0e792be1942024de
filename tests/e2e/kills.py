"""T48, kill -9 under load: what was acknowledged is there, once, and every sum
is what its spans say."""

import decimal
import json
import os
import random
import signal
import subprocess
import threading
import time
import unittest

import serving
from serving import SERVER, Base, Sender, new_trace, rfc3339

KILLS = int(os.environ.get("LLMLAB_KILLS", "10"))
SENDERS = 6
DAY = 86400 * 10**9
MODELS = {"gpt-4o-mini": decimal.Decimal("0.00021"),
          "gpt-4o": decimal.Decimal("0.0035"), "nobody-knows": 0}


class Client(threading.Thread):
    """Sends each batch until it is acknowledged, as libllmlab does."""

    def __init__(self, test, stop):
        super().__init__(daemon=True)
        self.test, self.stop = test, stop
        self.sender = Sender()
        self.random = random.Random()
        self.spans, self.cost, self.doubled = 0, decimal.Decimal(0), 0
        self.fault = None

    def batch(self):
        draw, sender = self.random, self.sender
        root = "%016x" % draw.getrandbits(64)
        now = time.time_ns() - draw.randrange(3 * 3600) * 10**9
        steps, models = [], []
        for n in range(draw.randrange(1, 40)):
            models.append(draw.choice(list(MODELS)))
            steps.append(sender.step(
                model=models[-1], start=rfc3339(now + n), parent_id=root,
                user="u%d" % draw.randrange(5), tags=[
                    "t%d" % draw.randrange(4)],
                latency_ms=draw.randrange(1, 9000) / 8))
        # Its usage is its children's: it is a step and no call.
        steps.append(sender.step(span_id=root, start=rfc3339(now)))
        draw.shuffle(steps)
        return sender.batch(steps, new_trace()), len(steps), models

    def run(self):
        try:
            while not self.stop.is_set():
                self.send(*self.batch())
        except Exception as fault:  # pylint: disable=broad-except
            self.fault = fault

    def send(self, batch, count, models):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                status, reply = self.test.server.post(self.test.key, batch)
            except (OSError, ValueError, AttributeError,
                    serving.http.client.HTTPException):
                time.sleep(0.01)
                continue
            if status == 503:
                time.sleep(0.01)
                continue
            self.test.assertEqual(status, 200, reply)
            self.test.assertEqual(reply["rejected"], [])
            self.test.assertEqual(reply["accepted"] + reply["duplicate"],
                                  count, reply)
            self.doubled += reply["duplicate"] > 0
            self.spans += count
            self.cost += sum(MODELS[m] for m in models)
            return
        raise AssertionError("a batch was not taken within 60 s")


class Kills(Base):
    options = ("--log-level", "info")

    def check(self):
        done = subprocess.run(
            [SERVER, "check", "--json", "--data", self.server.folder],
            capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def old_spans(self):
        """Retention is under way while the process is killed."""
        sender = Sender()
        for i in range(10):
            self.accept(sender.batch(
                [sender.step(start=rfc3339(time.time_ns() - 59 * DAY + n))
                 for n in range(2000)]), self.other, accepted=2000)
        status, _, reply = self.server.request(
            "PATCH", "/v1/projects/two/settings", self.admin,
            '{"retention_days":30}', {"Content-Type": "application/json"})
        self.assertEqual(status, 200, reply)

    def expire(self):
        status, _, reply = self.server.request(
            "GET", "/v1/jobs?kind=retention", self.admin)
        self.assertEqual(status, 200, reply)
        job = json.loads(reply)["data"][0]
        if job["state"] != "running":
            self.server.request("POST", "/v1/jobs/%d/run" % job["id"],
                                self.admin)

    def old_total(self):
        day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 60 * 86400))
        end = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 57 * 86400))
        status, costs = self.server.get(
            self.other_read, "costs?start_date=%s&end_date=%s" % (day, end))
        self.assertEqual(status, 200, costs)
        return costs["total"]

    def test_kills(self):
        self.old_spans()
        old = self.old_total()
        stop = threading.Event()
        clients = [Client(self, stop) for _ in range(SENDERS)]
        for client in clients:
            client.start()
        for kill in range(KILLS):
            self.expire()
            time.sleep(random.uniform(0.02, 0.25))
            self.server.process.kill()
            self.server.stop(signal.SIGKILL)
            if kill % 10 == 9:
                self.check()
            self.server.start()
        stop.set()
        for client in clients:
            client.join(90)
            if client.fault is not None:
                raise client.fault
        total = self.total()
        self.assertEqual(total["spans"], sum(c.spans for c in clients))
        self.assertEqual(decimal.Decimal(total["cost_usd"]),
                         sum(c.cost for c in clients))
        self.assertEqual(self.old_total(), old)
        self.check()
        print("%d kills, %d spans acknowledged, %d batches were sent again "
              "after they were stored" % (
                  KILLS, total["spans"], sum(c.doubled for c in clients)))


def main():
    if not os.path.exists(SERVER):
        print("SKIP kills: %s is not built" % SERVER)
        raise SystemExit(77)
    unittest.main(module="kills", verbosity=1)
