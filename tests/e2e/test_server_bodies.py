#!/usr/bin/env python3
"""What great, deep and many-named bodies cost llmlab-server, and what it shows
to strangers. Tests named T<number> are those of the security bar.

llmlab-test: threads timeout=300
"""

import gzip
import io
import json
import os
import socket
import time
import zlib

import serving
from accounts import Base
from serving import Sender

MIB = 1024 * 1024


class Bodies(Base):
    def post(self, body, **headers):
        return self.server.post(self.key, body, raw=True, **headers)

    def memory(self, work):
        """Bytes by which the server's memory grew at most in the meantime. A
        sanitizer's own is not counted."""
        proc = "/proc/%d/" % self.server.process.pid
        try:
            with open(proc + "clear_refs", "w") as file:
                file.write("5")
        except OSError:
            pass
        before = self.status("VmRSS")
        work()
        return max(0, self.status("VmHWM") - before)

    def status(self, name):
        with open("/proc/%d/status" % self.server.process.pid) as file:
            for line in file:
                if line.startswith(name):
                    return int(line.split()[1]) * 1024
        raise AssertionError(name)

    def small(self, grown, limit):
        if not os.path.exists(os.path.join(serving.BUILD, "CMakeCache.txt")):
            return
        with open(os.path.join(serving.BUILD, "CMakeCache.txt")) as file:
            if "LLMLAB_SANITIZE:STRING=\n" in file.read():
                self.assertLess(grown, limit)

    def test_T15_a_great_body_is_not_buffered(self):
        def announced():
            with socket.create_connection(
                    ("127.0.0.1", self.server.port), 20) as link:
                link.sendall(b"POST /v1/projects/-/traces HTTP/1.1\r\n"
                             b"Host: x\r\nAuthorization: Bearer " +
                             self.key.encode() + b"\r\nContent-Length: "
                             b"%d\r\n\r\n" % (5 * MIB + 1))
                reply = link.recv(65536)
                self.assertIn(b" 413 ", reply.split(b"\r\n")[0])
                self.assertIn(b'"limit":%d' % (5 * MIB), reply)

        def chunked():
            for path in ("/v1/projects/-/traces", "/v1/projects/one/keys",
                         "/v1/auth/login"):
                with socket.create_connection(
                        ("127.0.0.1", self.server.port), 20) as link:
                    link.sendall(b"POST " + path.encode() + b" HTTP/1.1\r\n"
                                 b"Host: x\r\nAuthorization: Bearer " +
                                 self.admin.encode() +
                                 b"\r\nTransfer-Encoding: chunked\r\n\r\n")
                    chunk = b"100000\r\n" + b" " * MIB + b"\r\n"
                    sent = 0
                    try:
                        while sent < 200:
                            link.sendall(chunk)
                            sent += 1
                    except OSError:
                        pass
                    self.assertLess(sent, 60, path)
        for work in (announced, chunked):
            self.small(self.memory(work), 32 * MIB)

    def test_T16_gzip_bombs(self):
        packed = zlib.compressobj(9, zlib.DEFLATED, 31)
        bomb = io.BytesIO()
        spaces = b" " * (16 * MIB)
        for _ in range(64): # 1 GiB in 1 MB
            bomb.write(packed.compress(spaces))
        bomb.write(packed.flush())
        bomb = bomb.getvalue()
        self.assertLess(len(bomb), 5 * MIB)

        def send():
            problem = self.refused(413, "inflated-too-large", self.post(
                bomb, Content_Encoding="gzip"))
            self.assertEqual(problem["limit"], 20 * MIB)
        self.small(self.memory(send), 64 * MIB)
        sender = Sender()
        twice = gzip.compress(gzip.compress(json.dumps(
            sender.batch([sender.step()])).encode()))
        self.assertEqual(self.post(twice, Content_Encoding="gzip")[0], 400)
        self.refused(415, "unsupported-encoding", self.post(
            twice, Content_Encoding="gzip, gzip"))

    def test_T17_deep_json(self):
        deep = b"[" * 100000 + b"]" * 100000
        objects = b'{"a":' * 100000 + b"1" + b"}" * 100000
        for body in (deep, objects, b'{"schema":1,"x":' + deep + b"}"):
            self.assertEqual(self.post(body)[0], 400)
            for method, path in (("POST", "/v1/projects"),
                                 ("POST", "/v1/projects/one/keys"),
                                 ("PATCH", "/v1/projects/one/settings"),
                                 ("POST", "/v1/auth/login")):
                status = self.server.request(method, path, self.admin,
                                             body)[0]
                self.assertIn(status, (400, 413), (method, path))

    def test_T21_ten_thousand_models(self):
        def series():
            text = self.server.request(
                "GET", "/metrics", port=self.server.metrics_port)[2]
            return len([line for line in text.decode().splitlines()
                        if not line.startswith("#")])
        before = series()
        sender = Sender()
        for _ in range(10):
            self.accept(sender.batch(
                [sender.step(model="flood-%d" % sender.next)
                 for _ in range(1000)]), accepted=1000)
        self.assertLess(series() - before, 100)
        costs = self.good(200, self.ask(
            "GET", "/v1/projects/one/costs?group_by=model", self.admin))
        names = {row["model"] for row in costs["data"]}
        self.assertIn("other", names)
        self.assertLess(len(names), 2100)

    def test_T22_questions_without_end(self):
        for query in ("start_date=1970-01-01&end_date=2069-12-31",
                      "start=1900-01-01T00:00:00Z&end=2999-01-01T00:00:00Z"):
            for path in ("costs", "traces"):
                begin = time.monotonic()
                status = self.ask("GET", "/v1/projects/one/%s?%s" % (
                    path, query), self.admin)[0]
                self.assertEqual(status, 400)
                self.assertLess(time.monotonic() - begin, 2)
        for name in ("agent", "model", "user", "session"):
            begin = time.monotonic()
            status = self.ask("GET", "/v1/projects/one/traces?%s=%s" % (
                name, "%25" * 1000), self.admin)[0]
            self.assertIn(status, (200, 400))
            self.assertLess(time.monotonic() - begin, 2)

    def test_T35_nothing_else_is_there(self):
        for path in ("/metrics", "/debug", "/debug/pprof", "/admin", "/v2",
                     "/v2/projects", "/v0/projects", "/status", "/.env",
                     "/server-status", "/v1/../metrics", "//metrics"):
            for key in (None, self.admin):
                self.assertEqual(self.ask("GET", path, key)[0], 404, path)


if __name__ == "__main__":
    serving.main()
