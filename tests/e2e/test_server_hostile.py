#!/usr/bin/env python3
"""llmlab-server against clients that hold connections, odd addresses, a second
server on its file, and a load that SIGTERM interrupts.

llmlab-test: threads timeout=120
"""

import gzip
import resource
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import serving
from serving import SERVER, Base, Sender

CONNECTIONS = 1500


def files_raise():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    return min(hard, 8192)


class Held(Base):
    def hold(self, sent):
        """As many connections as the server takes, each begun and left."""
        if files_raise() < CONNECTIONS + 100:
            self.skipTest("too few open files allowed")
        held = []
        for _ in range(CONNECTIONS):
            one = socket.create_connection(("127.0.0.1", self.server.port), 5)
            one.sendall(sent)
            held.append(one)
        return held

    def check_others_are_served(self, sent):
        held = self.hold(sent)
        try:
            begin = time.monotonic()
            status, _, _ = self.server.request("GET", "/healthz")
            self.assertEqual(status, 200)
            self.assertLess(time.monotonic() - begin, 10)
        finally:
            for one in held:
                one.close()

    def test_idle_connections(self):
        self.check_others_are_served(b"")

    def test_headers_that_do_not_end(self):
        self.check_others_are_served(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")

    def test_a_dripping_client_is_cut_off(self):
        one = socket.create_connection(("127.0.0.1", self.server.port), 5)
        one.sendall(b"GET /healthz HTTP/1.1\r\n")
        begin = time.monotonic()
        with self.assertRaises(OSError):
            while time.monotonic() - begin < 40:
                time.sleep(0.5)
                one.sendall(b"X: y\r\n")
        self.assertLess(time.monotonic() - begin, 25)
        one.close()


class Greedy(Base):
    def test_great_bodies_together_are_bounded(self):
        """Each within its limit and none whole: 1.3 GB together."""
        body = gzip.compress(b'{"schema":1,"pad":"' + b"x" * 19_000_000)
        head = (b"POST /v1/projects/-/traces HTTP/1.1\r\nHost: x\r\n"
                b"Authorization: Bearer " + self.key.encode() +
                b"\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
                % len(body))
        held = []
        for _ in range(70):
            one = socket.create_connection(("127.0.0.1", self.server.port), 30)
            one.sendall(head + body[:-1])
            held.append(one)
        statuses = []
        for one in held:
            one.sendall(body[-1:])
            statuses.append(int(one.recv(4096).split(b" ")[1]))
            one.close()
        self.assertEqual(set(statuses), {400, 503}, statuses)
        self.assertGreater(statuses.count(503), 40)
        sender = Sender()
        self.accept(sender.batch([sender.step()]), accepted=1)


class Addresses(Base):
    def status(self, path):
        one = socket.create_connection(("127.0.0.1", self.server.port), 5)
        one.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n"
                    b"Authorization: Bearer " + self.read.encode() +
                    b"\r\nConnection: close\r\n\r\n")
        reply = b""
        while True:
            more = one.recv(65536)
            if not more:
                break
            reply += more
        one.close()
        return int(reply.split(b" ")[1])

    def test_escapes_that_hide_something(self):
        self.assertEqual(self.status(b"/v1/projects/one/costs"), 200)
        self.assertEqual(self.status(b"/v1/projects/%6fne/costs"), 200)
        self.assertEqual(self.status(b"/v1/projects/one/costs?tz=%2B05:45"),
                         200)
        self.assertEqual(
            self.status(b"/v1/projects/one/costs?tz=Asia%2FKathmandu"), 200)
        for path in (b"/healthz%00x", b"/v1/projects/one%2fcosts",
                     b"/v1/projects/one%2Fcosts?tz=UTC",
                     b"/v1/projects/one/costs?tz=UTC%00x",
                     b"/v1/projects/one/traces?agent=%00"):
            self.assertEqual(self.status(path), 400, path)


class Stopped(Base):
    def test_what_was_acknowledged_under_load_is_there(self):
        """Senders until the server is gone; each 200 counts."""
        stored = []

        def send():
            sender = Sender()
            while True:
                batch = sender.batch([sender.step() for _ in range(10)])
                try:
                    status, reply = self.server.post(self.key, batch)
                except (OSError, ValueError):
                    return
                if status == 200:
                    stored.append(reply["accepted"])

        before = self.total()["spans"]
        for how in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
            threads = [threading.Thread(target=send) for _ in range(8)]
            for thread in threads:
                thread.start()
            time.sleep(0.7)
            code = self.server.stop(how)
            for thread in threads:
                thread.join()
            self.assertEqual(code, -9 if how == signal.SIGKILL else 0)
            self.server.start()
            found = self.total()["spans"] - before
            # One more of each sender may have been stored, unanswered.
            self.assertGreaterEqual(found, sum(stored))
            self.assertLessEqual(found, sum(stored) + 3 * 8 * 10)
        self.assertTrue(stored)


class Twice(Base):
    def test_a_second_server_on_the_file_is_refused(self):
        done = subprocess.run(
            [SERVER, "--data", self.server.folder, "--listen", "127.0.0.1:0"],
            capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 1)
        self.assertIn("another llmlab-server", done.stderr)
        # Keys are made beside it all the same.
        self.assertTrue(self.server.key("one", "read"))


class Arguments(unittest.TestCase):
    def complaint(self, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [SERVER, "--data", folder, *arguments], capture_output=True,
                text=True, timeout=20)
        self.assertNotEqual(done.returncode, 0, arguments)
        return done.stderr

    def test_addresses_that_are_none(self):
        for text in ("127.0.0.1", "127.0.0.1:80x", "127.0.0.1:99999",
                     "127.0.0.1:-1", "127.0.0.1:", "example.org:80"):
            said = self.complaint("--listen", text)
            self.assertIn("127.0.0.1:7400", said, text)
            self.assertNotIn("--tls-cert", said, text)

    def test_a_certificate_that_is_none(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"junk")
            file.flush()
            said = self.complaint("--listen", "127.0.0.1:0", "--tls-cert",
                                  file.name, "--tls-key", file.name)
        self.assertIn("PEM", said)

    def test_a_file_that_is_no_database(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"junk" * 1000)
            file.flush()
            self.assertIn("not a database", self.complaint("--db", file.name))

    def test_a_folder_that_is_none(self):
        with tempfile.NamedTemporaryFile() as file:
            self.assertIn("Not a directory",
                          self.complaint("--db", file.name + "/x.db"))


if __name__ == "__main__":
    serving.main()
