#!/usr/bin/env python3
"""llmlab-server behind the nginx configuration that is shipped: requests that
are malformed on purpose (T32) and clients that drip (T18).

llmlab-test: threads timeout=300
"""

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import serving
from serving import Sender, Server

SOURCE = os.environ.get("LLMLAB_SOURCE_DIR", ".")
NGINX = shutil.which("nginx") or (
    "/usr/sbin/nginx" if os.path.exists("/usr/sbin/nginx") else None)
# What the test shortens: nobody waits for what a person sets in seconds.
HEADER_SECONDS, BODY_SECONDS = 2, 3


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Behind(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="llmlab-nginx-")
        folder = cls.temporary.name
        cls.server = Server(os.path.join(folder, "data"))
        os.mkdir(cls.server.folder)
        cls.key = cls.server.key("one", "ingest")
        cls.read = cls.server.key("one", "read")
        cls.server.start()
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
             "-days", "2", "-subj", "/CN=llmlab.example.org", "-keyout",
             folder + "/key.pem", "-out", folder + "/cert.pem"], check=True,
            capture_output=True)
        cls.port, cls.plain = free_port(), free_port()
        with open(os.path.join(SOURCE, "server", "nginx",
                               "llmlab.conf")) as file:
            text = file.read()
        for pattern, to in (
                (r"server 127\.0\.0\.1:7400;",
                 "server 127.0.0.1:%d;" % cls.server.port),
                (r"listen 80;", "listen 127.0.0.1:%d;" % cls.plain),
                (r"listen 443 ssl;", "listen 127.0.0.1:%d ssl;" % cls.port),
                (r"/etc/ssl/llmlab\.crt", folder + "/cert.pem"),
                (r"/etc/ssl/llmlab\.key", folder + "/key.pem"),
                (r"client_header_timeout 10s", "client_header_timeout %ds" %
                 HEADER_SECONDS),
                (r"client_body_timeout 20s", "client_body_timeout %ds" %
                 BODY_SECONDS)):
            text, count = re.subn(pattern, to, text)
            assert count == 1, pattern
        # Both sides come from one address here.
        text = text.replace("limit_conn llmlab_connections 64",
                            "limit_conn llmlab_connections 1000")
        with open(folder + "/nginx.conf", "w") as file:
            file.write(
                "daemon off; pid %s/pid; error_log stderr warn;\n"
                "worker_processes 1; events { worker_connections 2000; }\n"
                "http { access_log off; %s\n%s\n}\n" % (folder, "".join(
                    "%s_temp_path %s/%s;" % (name, folder, name)
                    for name in ("client_body", "proxy", "fastcgi", "uwsgi",
                                 "scgi")), text))
        cls.log = open(folder + "/nginx.log", "wb")
        cls.nginx = subprocess.Popen(
            [NGINX, "-p", folder, "-c", folder + "/nginx.conf", "-e",
             folder + "/nginx.log"], stdout=cls.log, stderr=cls.log)
        deadline = time.monotonic() + 20
        while True:
            try:
                cls.connect(cls).close()
                break
            except OSError:
                assert time.monotonic() < deadline and \
                    cls.nginx.poll() is None, open(folder +
                                                   "/nginx.log").read()
                time.sleep(0.05)

    @classmethod
    def tearDownClass(cls):
        cls.nginx.send_signal(signal.SIGQUIT)
        cls.nginx.wait(20)
        cls.log.close()
        assert cls.server.stop() == 0
        cls.temporary.cleanup()

    def connect(self):
        plain = socket.create_connection(("127.0.0.1", self.port), 20)
        context = ssl.create_default_context(
            cafile=self.temporary.name + "/cert.pem")
        context.check_hostname = False
        return context.wrap_socket(plain)

    def raw(self, *parts):
        """Send bytes; all that comes back until the other side closes."""
        with self.connect() as link:
            for part in parts:
                link.sendall(part)
            link.settimeout(10)
            reply = b""
            try:
                while True:
                    more = link.recv(65536)
                    if not more:
                        break
                    reply += more
            except (TimeoutError, socket.timeout):
                reply += b"<still open>"
            except OSError:
                pass
            return reply

    def status(self, reply):
        found = re.match(rb"HTTP/1\.1 (\d\d\d) ", reply)
        return int(found[1]) if found else None

    def head(self, *lines, method=b"POST", path=b"/v1/projects/-/traces"):
        return b"\r\n".join((method + b" " + path + b" HTTP/1.1",
                             b"Host: llmlab.example.org",
                             b"Authorization: Bearer " + self.key.encode(),
                             *lines)) + b"\r\n\r\n"

    def good(self):
        reply = self.raw(self.head(
            b"Connection: close", method=b"GET",
            path=b"/v1/projects/-/costs").replace(
                self.key.encode(), self.read.encode()))
        self.assertEqual(self.status(reply), 200, reply[:300])

    def test_serves(self):
        self.good()
        sender = Sender()
        body = json.dumps(sender.batch([sender.step()])).encode()
        reply = self.raw(self.head(
            b"Content-Type: application/json", b"Connection: close",
            b"Content-Length: %d" % len(body)) + body)
        self.assertEqual(self.status(reply), 200, reply)
        self.assertIn(b'"accepted":1', reply)
        self.assertIn(b"Strict-Transport-Security", reply)
        for path in (b"/readyz", b"/metrics", b"/", b"/debug", b"/v2/x"):
            reply = self.raw(self.head(b"Connection: close", method=b"GET",
                                       path=path))
            self.assertEqual(self.status(reply), 404, path)

    def test_a_key_in_the_clear_is_refused(self):
        with socket.create_connection(("127.0.0.1", self.plain), 10) as link:
            link.sendall(self.head(b"Connection: close", method=b"GET"))
            self.assertEqual(self.status(link.recv(1000)), 403)

    def test_t32_malformed_requests(self):
        body = b"{}"
        smuggled = (b"GET /v1/projects/-/costs HTTP/1.1\r\nHost: x\r\n"
                    b"Authorization: Bearer " + self.read.encode() +
                    b"\r\n\r\n")
        cases = {
            "length and chunks": self.head(
                b"Content-Length: 4", b"Transfer-Encoding: chunked") +
            b"0\r\n\r\n" + smuggled,
            "chunks and length": self.head(
                b"Transfer-Encoding: chunked", b"Content-Length: 4") +
            b"0\r\n\r\n" + smuggled,
            "two lengths": self.head(b"Content-Length: 2",
                                     b"Content-Length: 40") + body + smuggled,
            "two equal lengths": self.head(
                b"Content-Length: 2", b"Content-Length: 2") + body,
            "a length that is none": self.head(b"Content-Length: 2, 2") + body,
            "a signed length": self.head(b"Content-Length: +2") + body,
            "two codings": self.head(b"Transfer-Encoding: chunked",
                                     b"Transfer-Encoding: identity") +
            b"0\r\n\r\n" + smuggled,
            "an odd coding": self.head(b"Transfer-Encoding: xchunked") +
            b"0\r\n\r\n",
            "NUL in a header": self.head(b"X-A: a\x00b",
                                         b"Content-Length: 2") + body,
            "100 kB of header": self.head(b"X-A: " + b"a" * 100000,
                                          b"Content-Length: 2") + body,
            "a chunk size that is none": self.head(
                b"Transfer-Encoding: chunked") + b"zz\r\n{}\r\n0\r\n\r\n",
            "a space before the colon": self.head(
                b"Content-Length : 2") + body,
            "a method that is none": b"GE T / HTTP/1.1\r\nHost: x\r\n\r\n",
            "no host": b"GET / HTTP/1.1\r\n\r\n",
        }
        for name, request in cases.items():
            before = self.stored()
            reply = self.raw(request)
            self.assertNotIn(b"still open", reply, name)
            statuses = re.findall(rb"HTTP/1\.[01] (\d\d\d)", reply)
            self.assertLessEqual(len(statuses), 1, (name, reply))
            if statuses:
                self.assertIn(int(statuses[0]), (400, 405, 411, 413, 414, 431,
                                                 494, 501), (name, reply))
            self.assertNotIn(b"cost_usd", reply, name)
            self.assertEqual(self.stored(), before, name)
        self.good()

    def stored(self):
        return self.server.get(self.read, "costs")[1]["total"]["spans"]

    def test_t32_what_nginx_reads_leniently_stays_one_request(self):
        """A bare line feed ends a header line for nginx, and a folded line is
        no header; either way the server sees what nginx saw."""
        for request in (
                self.head(b"Connection: close", method=b"GET",
                          path=b"/v1/projects/-/costs").replace(
                              b"\r\n", b"\n"),
                self.head(b"X-A: a\r\n b: c", b"Connection: close",
                          method=b"GET", path=b"/v1/projects/-/costs")):
            reply = self.raw(request.replace(self.key.encode(),
                                             self.read.encode()))
            statuses = re.findall(rb"HTTP/1\.[01] (\d\d\d)", reply)
            self.assertEqual(len(statuses), 1, reply)
            self.assertIn(statuses[0], (b"200", b"400"))

    def test_t18_clients_that_drip(self):
        head = self.head(b"Content-Length: 1000")
        stop = threading.Event()
        links = []

        def drip(first):
            link = self.connect()
            links.append(link)
            link.sendall(first)
            try:
                while not stop.is_set():
                    time.sleep(0.3)
                    link.sendall(b"X")
            except OSError:
                pass

        threads = []
        for i in range(200):
            # Headers that never end, bodies that never end, nothing at all.
            first = (head[:40], head + b"{", b"")[i % 3]
            threads.append(threading.Thread(target=drip, args=(first,),
                                            daemon=True))
            threads[-1].start()
        began = time.monotonic()
        while len(links) < 200 and time.monotonic() - began < 60:
            time.sleep(0.05)
        self.assertEqual(len(links), 200)
        slowest = 0.0
        for _ in range(20):
            began = time.monotonic()
            self.good()
            slowest = max(slowest, time.monotonic() - began)
        self.assertLess(slowest, 3)
        # The headers are given one time in all; what drips is cut off then.
        deadline = time.monotonic() + 30
        dripping = [t for i, t in enumerate(threads) if i % 3 == 0]
        while any(t.is_alive() for t in dripping):
            self.assertLess(time.monotonic(), deadline,
                            "dripped headers are not cut off")
            time.sleep(0.1)
        stop.set()
        for link in links:
            link.close()
        self.good()


if __name__ == "__main__":
    if NGINX is None:
        print("SKIP %s: nginx is not installed" % sys.argv[0])
        sys.exit(77)
    serving.main()
