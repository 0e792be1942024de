"""A real llmlab-server for the tests in this folder, and a client that numbers
its records as libllmlab does."""

import datetime
import gzip
import http.client
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

BUILD = os.environ.get("LLMLAB_BUILD_DIR", "build")
SERVER = os.path.join(BUILD, "bin", "llmlab-server")


def rfc3339(ns):
    seconds, rest = divmod(ns, 10**9)
    when = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return when.strftime("%Y-%m-%dT%H:%M:%S") + ".%09dZ" % rest


class Server:
    """One process on a folder; may be stopped, killed and started again."""

    def __init__(self, folder, *options):
        self.folder = folder
        self.options = options
        self.process = None

    def start(self, file_limit=None):
        port_file = os.path.join(self.folder, "port")
        if os.path.exists(port_file):
            os.unlink(port_file)
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen(
            [SERVER, "--data", self.folder, "--listen", "127.0.0.1:0",
             "--metrics-listen", "127.0.0.1:0", "--port-file", port_file,
             "--log-level", "debug", *self.options],
            stdout=subprocess.PIPE, stderr=self.log, text=True,
            preexec_fn=file_limit and (lambda: limit_files(file_limit)))
        line = self.process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), line
        self.port = int(line.rsplit(":", 1)[1])
        self.metrics_port = int(
            self.process.stdout.readline().split(":")[2].split("/")[0])
        with open(port_file) as file:
            assert int(file.read()) == self.port
        return self

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return None
        self.process.send_signal(how)
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        self.log.close()
        self.process = None
        return code

    def key(self, project, scope):
        return subprocess.run(
            [SERVER, "key", "create", "--data", self.folder, "--project",
             project, "--scope", scope], check=True, capture_output=True,
            text=True).stdout.strip()

    def request(self, method, path, key=None, body=None, headers=None,
                port=None):
        connection = http.client.HTTPConnection("127.0.0.1",
                                                port or self.port, timeout=30)
        sent = dict(headers or {})
        if key is not None:
            sent["Authorization"] = "Bearer " + key
        try:
            connection.request(method, path, body, sent)
            reply = connection.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read()
        finally:
            connection.close()

    def post(self, key, batch, project="-", raw=False, **headers):
        body = batch if raw else gzip.compress(json.dumps(batch).encode(), 1)
        sent = {"Content-Type": "application/json"}
        if not raw:
            sent["Content-Encoding"] = "gzip"
        sent.update({k.replace("_", "-"): v for k, v in headers.items()})
        status, _, reply = self.request(
            "POST", "/v1/projects/%s/traces" % project, key, body, sent)
        return status, json.loads(reply)

    def get(self, key, path, project="-"):
        status, _, reply = self.request(
            "GET", "/v1/projects/%s/%s" % (project, path), key)
        return status, json.loads(reply)


def limit_files(size):
    """Stands for a full disk: no file grows beyond size."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


class Sender:
    """A client: numbers its records as libllmlab does."""

    def __init__(self):
        self.instance = str(uuid.uuid4())
        self.next = 1

    def step(self, **members):
        step = {"span_id": "%016x" % random.getrandbits(64), "parent_id": None,
                "n": self.next, "type": "llm_call", "name": "answer",
                "status": "success", "start": rfc3339(time.time_ns()),
                "latency_ms": 12.5, "provider": "openai",
                "model": "gpt-4o-mini",
                "usage": {"input_tokens": 1000, "output_tokens": 100}}
        step.update(members)
        self.next += 1
        return {k: v for k, v in step.items() if v is not ...}

    def batch(self, steps, trace_id=None, first=None, count=None, **trace):
        numbers = [s["n"] for s in steps if isinstance(s.get("n"), int)]
        first = first or min(numbers)
        count = count or max(numbers) - first + 1
        return {"schema": 1,
                "sdk": {"name": "test", "version": "1", "service": "s",
                        "instance": self.instance, "environment": "test"},
                "batch": {"first": first, "count": count,
                          "sent_at": rfc3339(time.time_ns()),
                          "totals": {"accepted": first + count - 1,
                                     "delivered": 0, "rejected": 0,
                                     "dropped": {}},
                          "unsampled": []},
                "traces": [dict(trace, trace_id=trace_id or new_trace(),
                                steps=steps)] if steps else []}


def new_trace():
    return "%032x" % random.getrandbits(128)


class Base(unittest.TestCase):
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="llmlab-server-")
        cls.server = Server(cls.temporary.name, *cls.options)
        cls.key = cls.server.key("one", "ingest")
        cls.read = cls.server.key("one", "read")
        cls.admin = cls.server.key("one", "admin")
        cls.other = cls.server.key("two", "ingest")
        cls.other_read = cls.server.key("two", "read")
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        with open(os.path.join(cls.server.folder, "log")) as log:
            text = log.read()
        cls.temporary.cleanup()
        for line in text.splitlines():
            json.loads(line)
        assert "llmlab_sk_" not in text, "a key is in the log"
        assert code == 0, (code, text[-4000:])

    def total(self, key=None):
        status, costs = self.server.get(key or self.read, "costs")
        self.assertEqual(status, 200, costs)
        return costs["total"]

    def accept(self, batch, key=None, accepted=None, duplicate=0, rejected=0):
        status, reply = self.server.post(key or self.key, batch)
        self.assertEqual(status, 200, reply)
        if accepted is not None:
            self.assertEqual(
                (reply["accepted"], reply["duplicate"],
                 len(reply["rejected"])), (accepted, duplicate, rejected),
                reply)
        return reply

    def refused(self, status, word, reply):
        self.assertEqual(reply[0], status, reply)
        problem = reply[1]
        self.assertEqual(problem["type"], "urn:llmlab:problem:" + word)
        self.assertEqual(problem["status"], status)
        self.assertTrue(problem["title"] and problem["detail"])
        return problem


def main():
    if not os.path.exists(SERVER):
        print("SKIP %s: %s is not built" % (sys.argv[0], SERVER))
        sys.exit(77)
    unittest.main(verbosity=1)
