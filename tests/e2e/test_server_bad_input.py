#!/usr/bin/env python3
"""What llmlab-server answers to every bad input that a client or a stranger may
send: nothing of it is stored, and the rest is.

llmlab-test: threads timeout=300
"""

import gzip
import json
import socket
import subprocess
import time
import zlib

import serving
from serving import SERVER, Base, Sender, new_trace, rfc3339


class BadItems(Base):
    """A bad record is rejected alone."""

    def reject(self, field, why, **members):
        sender = Sender()
        good = sender.step()
        bad = sender.step(**members)
        number = bad.get("n")
        batch = sender.batch([good, bad], first=1, count=2)
        reply = self.accept(batch, accepted=1, rejected=1)
        rejection = reply["rejected"][0]
        self.assertEqual((rejection["field"], rejection["type"]),
                         (field, why), members)
        self.assertEqual(rejection["trace_id"],
                         batch["traces"][0]["trace_id"])
        if number == 2:
            self.assertEqual(rejection["n"], 2)
        # A repeat gets the same answer.
        self.accept(batch, accepted=0, duplicate=1, rejected=1)

    def test_each_field(self):
        now = time.time_ns()
        for field, why, members in (
                ("span_id", "format", {"span_id": "xyz"}),
                ("span_id", "format", {"span_id": "0" * 16}),
                ("span_id", "type", {"span_id": 5}),
                ("span_id", "missing", {"span_id": ...}),
                ("parent_id", "format", {"parent_id": "12"}),
                ("n", "missing", {"n": ...}),
                ("n", "type", {"n": "2"}),
                ("n", "range", {"n": 3}),
                ("n", "range", {"n": 0}),
                ("n", "range", {"n": -1}),
                ("type", "format", {"type": "unheard_of"}),
                ("name", "missing", {"name": ...}),
                ("name", "type", {"name": ["x"]}),
                ("name", "too_large", {"name": "x" * 5000}),
                ("status", "format", {"status": "fine"}),
                ("start", "format", {"start": "yesterday"}),
                ("start", "type", {"start": 17}),
                ("start", "in_future",
                 {"start": rfc3339(now + 3600 * 10**9)}),
                ("start", "in_future", {"start": "2099-01-01T00:00:00Z"}),
                ("start", "too_old", {"start": "1970-01-01T00:00:00Z"}),
                ("start", "too_old", {"start": "1901-01-01T00:00:00Z"}),
                ("start", "too_old",
                 {"start": rfc3339(now - 91 * 86400 * 10**9)}),
                ("latency_ms", "type", {"latency_ms": "12"}),
                ("latency_ms", "range", {"latency_ms": -1}),
                ("latency_ms", "range", {"latency_ms": 1e300}),
                ("usage", "type", {"usage": [1]}),
                ("input_tokens", "range", {"usage": {"input_tokens": -1}}),
                ("input_tokens", "range", {"usage": {"input_tokens": 2**63}}),
                ("input_tokens", "format", {"usage": {"input_tokens": 1.5}}),
                ("input_tokens", "type", {"usage": {"input_tokens": "1"}}),
                ("cost", "type", {"cost": 0.1}),
                ("cost", "format", {"cost": "NaN"}),
                ("cost", "format", {"cost": "-1"}),
                ("provider_cost", "range", {"provider_cost": "9" * 25}),
                ("tags", "type", {"tags": "a"}),
                ("tags", "type", {"tags": [1]}),
                ("attributes", "type", {"attributes": []}),
                ("stream", "type", {"stream": "yes"}),
                ("attempt", "format", {"attempt": 1.5})):
            with self.subTest(field=field, members=str(members)[:60]):
                self.reject(field, why, **members)

    def test_an_admin_key_may_send_old_calls(self):
        sender = Sender()
        batch = sender.batch([sender.step(start="2023-11-11T10:00:00Z"),
                              sender.step(start="2099-01-01T00:00:00Z")])
        self.accept(batch, self.admin, accepted=1, rejected=1)
        status, costs = self.server.get(
            self.read, "costs?start_date=2023-11-11&end_date=2023-11-11")
        self.assertEqual(costs["total"]["calls"], 1)

    def test_odd_texts_come_back_whole(self):
        for name in ("a\u0000b", "\ud800", "'; DROP TABLE span; --", "é" * 50,
                     "\U0001f600", "<script>", "\\\"\n\t", " "):
            with self.subTest(name=name.encode("unicode-escape")):
                sender, trace = Sender(), new_trace()
                self.accept(sender.batch([sender.step(
                    name=name, user=name, agent=name, session=name,
                    tags=[name], attributes={name: name})], trace),
                    accepted=1)
                status, detail = self.server.get(self.read, "traces/" + trace)
                self.assertEqual(status, 200)
                seen = name.replace("\u0000", "\ufffd").replace(
                    "\ud800", "\ufffd")
                self.assertEqual((detail["name"], detail["user"],
                                  detail["agent"], detail["session"]),
                                 (seen,) * 4)

    def test_a_flood_of_names_is_capped(self):
        sender = Sender()
        for _ in range(3):
            steps = [sender.step(agent="flood-%d" % sender.next)
                     for _ in range(1000)]
            self.accept(sender.batch(steps), self.other, accepted=1000)
        status, costs = self.server.get(self.other_read,
                                        "costs?group_by=agent")
        self.assertEqual(costs["total"]["calls"], 3000)
        by_agent = {r["agent"]: r["calls"] for r in costs["data"]}
        self.assertLessEqual(len(by_agent), 2001)
        self.assertGreaterEqual(by_agent["other"], 999)


class BadBatches(Base):
    """What is wrong with the envelope refuses all of it."""

    options = ("--max-body", "100000", "--max-inflated", "1000000",
               "--max-items", "500", "--max-depth", "20")

    def setUp(self):
        self.before = self.total()

    def tearDown(self):
        self.assertEqual(self.total(), self.before)

    def post_raw(self, body, **headers):
        return self.server.post(self.key, body, raw=True, **headers)

    def test_malformed_json(self):
        sender = Sender()
        text = json.dumps(sender.batch([sender.step()]))
        cuts = [0, 1, 10, len(text) // 2, len(text) - 1]
        for body in [text[:i] for i in cuts] + [text + "x", text + text,
                                                "nonsense", "{'a':1}"]:
            problem = self.refused(400, "malformed-json",
                                   self.post_raw(body.encode()))
            self.assertIn("offset", problem)
        self.refused(400, "malformed-json",
                     self.post_raw(text.encode().replace(b"answer",
                                                         b"\xff\xfe")))
        self.refused(400, "malformed-json",
                     self.post_raw(text.encode().replace(b"answer", b"a\x00b")))

    def test_schema(self):
        for path, value, field in (
                (("schema",), 2, "schema"), (("schema",), ..., "schema"),
                (("schema",), "1", "schema"), (("sdk",), ..., "sdk"),
                (("sdk",), [], "sdk"),
                (("sdk", "instance"), "not-a-uuid", "sdk.instance"),
                (("sdk", "name"), 5, "sdk.name"),
                (("batch",), ..., "batch"), (("batch",), 3, "batch"),
                (("batch", "first"), 0, "batch.first"),
                (("batch", "first"), -1, "batch.first"),
                (("batch", "first"), "1", "batch.first"),
                (("batch", "count"), 0, "batch.count"),
                (("batch", "count"), 10**9, "batch.count"),
                (("batch", "totals"), ..., "batch.totals"),
                (("traces",), ..., "traces"), (("traces",), {}, "traces"),
                (("traces",), [1], "traces")):
            sender = Sender()
            batch = sender.batch([sender.step()])
            at = batch
            for name in path[:-1]:
                at = at[name]
            if value is ...:
                del at[path[-1]]
            else:
                at[path[-1]] = value
            problem = self.refused(422, "schema",
                                   self.server.post(self.key, batch))
            self.assertEqual(problem["field"], field)
        self.refused(422, "schema", self.post_raw(b"[]"))
        self.refused(422, "schema", self.post_raw(b"5"))

    def test_depth(self):
        sender = Sender()
        deep = json.dumps(sender.batch([sender.step()]))[:-1] + \
            ',"x":' + "[" * 40000 + "]" * 40000 + "}"
        problem = self.refused(400, "too-deep", self.post_raw(deep.encode()))
        self.assertEqual(problem["limit"], 20)

    def test_too_many_records(self):
        sender = Sender()
        batch = sender.batch([sender.step() for _ in range(501)])
        problem = self.refused(413, "too-many-items",
                               self.server.post(self.key, batch))
        self.assertEqual(problem["limit"], 500)

    def test_too_large(self):
        problem = self.refused(413, "body-too-large",
                               self.post_raw(b" " * 100001))
        self.assertEqual(problem["limit"], 100000)

        def chunks():
            for _ in range(200):
                yield b" " * 1000
        problem = self.refused(413, "body-too-large",
                               self.post_raw(chunks()))

    def test_gzip(self):
        sender = Sender()
        body = gzip.compress(json.dumps(sender.batch(
            [sender.step()])).encode())
        gz = {"Content-Encoding": "gzip"}
        for bad in (body[:-1], body[:-9], body[:20], body[:5], b"",
                    b"plain text", body + b"x", body + body,
                    body[:30] + b"\x00\x01\x02" + body[33:],
                    body[:-8] + bytes(8), zlib.compress(b"{}")):
            self.refused(400, "malformed-gzip",
                         self.post_raw(bad, Content_Encoding="gzip"))

    def test_gzip_bomb(self):
        bomb = gzip.compress(b" " * 50_000_000, 9)
        self.assertLess(len(bomb), 100000)
        problem = self.refused(413, "inflated-too-large",
                               self.post_raw(bomb, Content_Encoding="gzip"))
        self.assertEqual(problem["limit"], 1000000)

    def test_unknown_codings_and_types(self):
        self.refused(415, "unsupported-encoding",
                     self.post_raw(b"{}", Content_Encoding="br"))
        self.refused(415, "unsupported-encoding",
                     self.post_raw(b"{}", Content_Encoding="gzip, gzip"))
        self.refused(415, "unsupported-type",
                     self.post_raw(b"a=1", Content_Type="text/plain"))

    def test_keys(self):
        sender = Sender()
        batch = sender.batch([sender.step()])
        key = self.key
        for bad in ("", "x", key[:-1], key[:-1] + ("a" if key[-1] != "a"
                                                   else "b"), "Basic abc"):
            status, reply = self.server.post(bad, batch)
            self.refused(401, "unauthorized", (status, reply))
        status, headers, _ = self.server.request(
            "GET", "/v1/projects/-/costs?key=" + self.read)
        self.assertEqual(status, 401)
        self.assertTrue(headers["WWW-Authenticate"].startswith("Bearer"))
        self.refused(403, "forbidden", self.server.post(self.read, batch))
        self.refused(403, "forbidden", self.server.get(self.key, "costs"))
        for key in (self.key, self.other):
            self.refused(404, "no-such-project", self.server.post(
                key, batch, project="nowhere"))
        self.refused(404, "no-such-project", self.server.post(
            self.key, batch, project="two"))
        self.refused(404, "no-such-project",
                     self.server.get(self.read, "costs", project="two"))
        # An admin key belongs to the server.
        self.assertEqual(self.server.get(self.admin, "costs",
                                         project="two")[0], 200)

    def test_a_revoked_key(self):
        key = self.server.key("one", "read")
        self.assertEqual(self.server.get(key, "costs")[0], 200)
        listed = subprocess.run([SERVER, "key", "list", "--data",
                                 self.server.folder], check=True,
                                capture_output=True, text=True).stdout
        line = [x for x in listed.splitlines() if key[:16] in x][0]
        self.assertNotIn(key, listed)
        subprocess.run([SERVER, "key", "revoke", line.split()[0], "--data",
                        self.server.folder], check=True, capture_output=True)
        self.refused(401, "unauthorized", self.server.get(key, "costs"))

    def test_addresses_and_methods(self):
        for path in ("/", "/v1", "/v2/projects/-/costs", "/metrics", "/admin",
                     "/v1/projects/-/costs/", "/v1/projects//costs",
                     "/v1/projects/-/traces/a/b", "/" + "x" * 2000,
                     "/v1/projects/-/nothing"):
            status, _, body = self.server.request("GET", path, self.read)
            self.refused(404, "not-found", (status, json.loads(body)))
        for method, path, allow in (
                ("DELETE", "/v1/projects/-/costs", "GET"),
                ("PUT", "/v1/projects/-/traces", "POST, GET"),
                ("POST", "/healthz", "GET"), ("TRACE", "/healthz", "GET"),
                ("OPTIONS", "/v1/projects/-/costs", "GET")):
            status, headers, body = self.server.request(method, path,
                                                        self.read)
            self.refused(405, "method-not-allowed",
                         (status, json.loads(body)))
            self.assertEqual(headers["Allow"], allow)

    def test_parameters(self):
        for query, field in (
                ("start_date=2026-13-01", "start_date"),
                ("start_date=x", "start_date"), ("end_date=1", "end_date"),
                ("tz=Mars/Olympus", "tz"), ("tz=../../etc/passwd", "tz"),
                ("tz=%2B99:00", "tz"), ("granularity=weekly", "granularity"),
                ("group_by=colour", "group_by"),
                ("group_by=model,", None), ("group_by=,model", "group_by"),
                ("start=2026-01-01T00:01:00Z", "start"),
                ("start_date=2026-02-02&end_date=2026-02-01", "end_date"),
                ("start_date=1900-01-01", "end_date"),
                ("granularity=hourly&start_date=2026-01-01"
                 "&end_date=2026-06-01", "granularity")):
            status, reply = self.server.get(self.read, "costs?" + query)
            if field is None:
                self.assertEqual(status, 200)
            else:
                problem = self.refused(400, "bad-parameter", (status, reply))
                self.assertEqual(problem["field"], field)
        for limit in ("0", "-1", "1001", "99999999999999999999", "1e3", "",
                      "x"):
            problem = self.refused(400, "bad-parameter", self.server.get(
                self.read, "traces?limit=" + limit))
            self.assertEqual(problem["field"], "limit")
        for order in ("status=fine", "order_by=name"):
            self.refused(400, "bad-parameter",
                         self.server.get(self.read, "traces?" + order))
        self.refused(400, "bad-parameter",
                     self.server.get(self.read, "traces/xyz"))
        self.refused(404, "no-such-trace",
                     self.server.get(self.read, "traces/" + new_trace()))

    def test_raw_garbage(self):
        for bytes_ in (b"\x00" * 100, b"GET\r\n\r\n", b"\xff\xfe\r\n\r\n",
                       b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 5000,
                       b"POST /v1/projects/-/traces HTTP/1.1\r\n"
                       b"Content-Length: -5\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", self.server.port),
                                          timeout=5) as s:
                s.settimeout(5)
                try:
                    s.sendall(bytes_)
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(65536):
                        pass
                except OSError:
                    pass
        self.assertEqual(self.server.request("GET", "/healthz")[0], 200)


if __name__ == "__main__":
    serving.main()
