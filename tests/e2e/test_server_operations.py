#!/usr/bin/env python3
"""llmlab-server as those who run it see it: replaced under load, its metrics,
alert rules and units.

llmlab-test: threads timeout=300
"""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import serving
from serving import SERVER, Base, Sender, Server

SOURCE = os.environ.get("LLMLAB_SOURCE_DIR", ".")


class Activated(Server):
    """Its sockets are ours, as systemd's would be."""

    def __init__(self, folder, *options):
        super().__init__(folder, *options)
        self.sockets = []
        for _ in range(2):
            sock = socket.socket()
            sock.bind(("127.0.0.1", 0))
            sock.listen(1024)
            self.sockets.append(sock)
        self.port = self.sockets[0].getsockname()[1]
        self.metrics_port = self.sockets[1].getsockname()[1]
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(os.path.join(folder, "notify"))
        self.notify.settimeout(20)

    def start(self, file_limit=None):
        self.log = open(os.path.join(self.folder, "log"), "ab")
        fds = [s.fileno() for s in self.sockets]

        def hand_over():
            # As 3 and 4; by way of greater ones, which may be these.
            high = [os.dup2(fd, 200 + i) for i, fd in enumerate(fds)]
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i)

        self.process = subprocess.Popen(
            ["sh", "-c", "LISTEN_PID=$$ exec \"$0\" \"$@\"", SERVER, "--data",
             self.folder, *self.options],
            stdout=subprocess.PIPE, stderr=self.log, text=True,
            close_fds=False, preexec_fn=hand_over,
            env={**os.environ, "LISTEN_FDS": "2",
                 "NOTIFY_SOCKET": os.path.join(self.folder, "notify")})
        assert self.notify.recv(100) == b"READY=1"
        return self

    def stop(self, how=signal.SIGTERM):
        code = super().stop(how)
        if how == signal.SIGTERM:
            assert self.notify.recv(100) == b"STOPPING=1"
        return code

    def close(self):
        for sock in (*self.sockets, self.notify):
            sock.close()


class Load(threading.Thread):
    """Requests on one connection for as long as the server lets it live; any
    failure counts."""

    def __init__(self, server, key, read, stop):
        super().__init__(daemon=True)
        self.server, self.key, self.read, self.stop = server, key, read, stop
        self.sender, self.done, self.failed = Sender(), 0, []

    def request(self, link):
        if self.done % 3 == 0:
            body = json.dumps(self.sender.batch([self.sender.step()]))
            link.request("POST", "/v1/projects/-/traces", body, {
                "Authorization": "Bearer " + self.key,
                "Content-Type": "application/json"})
        else:
            link.request("GET", "/v1/projects/-/costs", headers={
                "Authorization": "Bearer " + self.read})
        reply = link.getresponse()
        reply.read()
        if reply.status != 200:
            self.failed.append(reply.status)
        self.done += 1
        return reply.getheader("Connection") != "close"

    def run(self):
        while not self.stop.is_set():
            link = http.client.HTTPConnection("127.0.0.1", self.server.port,
                                              timeout=30)
            try:
                while self.request(link) and not self.stop.is_set():
                    pass
            except (OSError, http.client.HTTPException) as fault:
                self.failed.append(repr(fault))
            link.close()


class Replaced(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="llmlab-server-")
        self.addCleanup(self.temporary.cleanup)

    def test_a_rolling_restart_fails_no_request(self):
        server = Activated(self.temporary.name, "--log-level", "warning")
        self.addCleanup(server.close)
        keys = server.key("one", "ingest"), server.key("one", "read")
        server.start()
        stop = threading.Event()
        load = [Load(server, *keys, stop) for _ in range(8)]
        for thread in load:
            thread.start()
        for _ in range(6):
            time.sleep(0.4)
            self.assertEqual(server.stop(), 0)
            server.start()
        time.sleep(0.2)
        stop.set()
        for thread in load:
            thread.join(40)
        done = sum(t.done for t in load)
        self.assertEqual([f for t in load for f in t.failed], [])
        self.assertGreater(done, 200)
        total = server.get(keys[1], "costs")[1]["total"]
        self.assertEqual(total["spans"], sum(t.sender.next - 1 for t in load))
        self.assertEqual(server.stop(), 0)
        print("6 restarts, %d requests, 0 failed" % done)

    def test_readiness_goes_first(self):
        server = Server(self.temporary.name, "--drain-delay", "2",
                        "--drain-seconds", "0")
        key = server.key("one", "ingest")
        server.start()
        self.assertEqual(server.request("GET", "/readyz")[0], 200)
        server.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 10
        while server.request("GET", "/readyz")[0] == 200:
            self.assertLess(time.monotonic(), deadline)
        # New connections are served on.
        sender = Sender()
        self.assertEqual(server.post(key, sender.batch([sender.step()]))[0],
                         200)
        self.assertEqual(server.request("GET", "/healthz")[0], 200)
        self.assertEqual(server.process.wait(20), 0)
        server.stop()

    def test_bad_sockets(self):
        for env in ({"LISTEN_FDS": "1"}, {"LISTEN_FDS": "9"},
                    {"LISTEN_FDS": "x", "LISTEN_PID": "1"},
                    {"NOTIFY_SOCKET": "/nowhere"}, {"NOTIFY_SOCKET": "x"},
                    {"NOTIFY_SOCKET": "/" + "x" * 300}):
            done = subprocess.run(
                ["sh", "-c", "LISTEN_PID=${LISTEN_PID-$$} exec timeout -s TERM "
                 "0.5 \"$0\" --data \"$1\" --listen 127.0.0.1:0", SERVER,
                 self.temporary.name], env={**os.environ, **env},
                capture_output=True, text=True, timeout=20)
            self.assertIn("listening on http://127.0.0.1:", done.stdout, env)


class Metrics(Base):
    def text(self):
        status, headers, body = self.server.request(
            "GET", "/metrics", port=self.server.metrics_port)
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith(
            "text/plain; version=0.0.4"))
        return body.decode()

    def test_exposition(self):
        """What promtool does not look at."""
        sender = Sender()
        self.accept(sender.batch([sender.step() for _ in range(3)]))
        self.total()
        self.server.request("GET", "/nowhere")
        text = self.text()
        self.assertTrue(text.endswith("\n"))
        self.assertNotIn("\r", text)
        families, series, family = {}, set(), None
        for line in text.splitlines():
            if line.startswith("# HELP "):
                family = line.split()[2]
                self.assertNotIn(family, families, "a family in two pieces")
                families[family] = None
            elif line.startswith("# TYPE "):
                name, kind = line.split()[2:]
                self.assertEqual(name, family)
                families[family] = kind
            else:
                match = re.fullmatch(
                    r"([a-z_]+)(\{.*\})? ([0-9.e+-]+|[+-]Inf|NaN)", line)
                self.assertTrue(match, line)
                self.assertTrue(match[1].startswith(family), line)
                self.assertNotIn((match[1], match[2]), series, line)
                series.add((match[1], match[2]))
        for name in ("llmlab_http_requests_total",
                     "llmlab_http_request_duration_seconds",
                     "llmlab_http_connections",
                     "llmlab_http_connections_limit",
                     "llmlab_writer_queue_records", "llmlab_ready",
                     "llmlab_job_runs_total", "llmlab_database_size_bytes",
                     "llmlab_ingest_spans_total"):
            self.assertIn(name, families)
        counts = [line for line in text.splitlines() if "_count{" in line]
        for line in counts:
            labels = line[line.index("{") + 1:line.rindex("}")]
            bucket = "_bucket{%s,le=\"+Inf\"} %s" % (labels, line.split()[-1])
            self.assertIn(bucket, text)
        self.assertNotIn("nowhere", text)

    def test_promtool_finds_nothing(self):
        promtool = shutil.which("promtool")
        if promtool is None:
            print("SKIP promtool: it is not installed (Debian: prometheus)")
            return
        done = subprocess.run([promtool, "check", "metrics"],
                              input=self.text(), capture_output=True,
                              text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout + done.stderr, "")
        rules = os.path.join(SOURCE, "server", "prometheus", "alerts.yml")
        done = subprocess.run([promtool, "check", "rules", rules],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        tests = os.path.join(SOURCE, "server", "prometheus", "alerts_test.yml")
        done = subprocess.run([promtool, "test", "rules", tests],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_rules_name_metrics_that_are(self):
        text = self.text()
        with open(os.path.join(SOURCE, "server", "prometheus",
                               "alerts.yml")) as file:
            names = set(re.findall(r"\b(?:llmlab|process)_[a-z_]+\b",
                                   file.read()))
        self.assertGreater(len(names), 6)
        for name in names:
            self.assertIn("\n" + name, text)


class Units(unittest.TestCase):
    def test_systemd_understands_the_units(self):
        if shutil.which("systemd-analyze") is None:
            print("SKIP units: systemd-analyze is not installed")
            return
        with tempfile.TemporaryDirectory() as folder:
            for name in ("service", "socket"):
                path = os.path.join(SOURCE, "server", "systemd",
                                    "llmlab-server." + name)
                with open(path) as file:
                    text = file.read().replace("/usr/bin/llmlab-server", SERVER)
                with open(os.path.join(folder, "llmlab-server." + name),
                          "w") as file:
                    file.write(text)
            done = subprocess.run(
                ["systemd-analyze", "verify", folder + "/llmlab-server.service",
                 folder + "/llmlab-server.socket"], capture_output=True,
                text=True, timeout=60)
        told = [line for line in done.stderr.splitlines()
                if "llmlab-server" in line]
        self.assertEqual(told, [])


if __name__ == "__main__":
    serving.main()
