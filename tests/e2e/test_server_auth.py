#!/usr/bin/env python3
"""Who may what at llmlab-server: projects, keys, accounts, sessions, tokens,
limits, and that no project sees another's. Tests named T<number> are those of
the security bar.

llmlab-test: threads timeout=300
"""

import base64
import concurrent.futures
import hashlib
import hmac
import json
import os
import random
import sqlite3
import statistics
import subprocess
import time
import urllib.parse

import serving
from serving import SERVER, Sender, new_trace

PASSWORD = "correct horse battery"


class Base(serving.Base):
    """A server with its first account, an admin of the server."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        line = cls.server.process.stdout.readline()
        assert "/v1/auth/setup" in line, line
        cls.setup = line.split()[-1]
        status, headers, session = cls.ask(
            "POST", "/v1/auth/setup", body={
                "token": cls.setup, "email": "Root@Example.org",
                "name": "Root", "password": PASSWORD})
        assert status == 201, session
        cls.root = Account(cls, headers, session)

    @classmethod
    def ask(cls, method, path, key=None, body=None, raw=None, **headers):
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        if body is not None:
            raw = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        status, got, text = cls.server.request(method, path, key, raw, headers)
        return status, got, json.loads(text) if text else None

    def good(self, status, reply):
        self.assertEqual(reply[0], status, reply)
        return reply[2]

    def bad(self, status, word, reply, field=None):
        self.refused(status, word, (reply[0], reply[2]))
        if field is not None:
            self.assertEqual(reply[2]["field"], field)
        return reply[2]

    def person(self, project, role, password=PASSWORD):
        """Somebody new with a role in a project."""
        email = "p%d@example.org" % random.getrandbits(60)
        invitation = self.good(201, self.ask(
            "POST", "/v1/projects/%s/invitations" % project, self.admin,
            {"email": email, "role": role}))
        reply = self.ask("POST", "/v1/auth/accept", body={
            "token": invitation["token"], "password": password})
        self.good(201, reply)
        return Account(self, reply[1], reply[2])

    def project(self, **members):
        slug = "p%d" % random.getrandbits(60)
        return self.good(201, self.ask("POST", "/v1/projects", self.admin,
                                       dict({"slug": slug}, **members)))

    def new_key(self, project, scope, **members):
        return self.good(201, self.ask(
            "POST", "/v1/projects/%s/keys" % project, self.admin,
            dict(members, scope=scope)))


class Account:
    """A session."""

    def __init__(self, test, headers, session):
        self.test = test
        self.cookie = headers["Set-Cookie"].split(";")[0]
        self.csrf = session["csrf_token"]
        self.id = session["account"]["id"]
        self.email = session["account"]["email"]

    def ask(self, method, path, body=None, **headers):
        headers.setdefault("Cookie", self.cookie)
        headers.setdefault("X_CSRF_Token", self.csrf)
        return self.test.ask(method, path, body=body,
                             **{k: v for k, v in headers.items() if v})


class Projects(Base):
    def test_create_rename_archive_delete(self):
        made = self.project(name="A shop")
        path = "/v1/projects/" + made["slug"]
        status, headers, got = self.ask("GET", path, self.admin)
        self.assertEqual((status, got), (200, made))
        self.assertEqual(got["name"], "A shop")
        slug = made["slug"] + "-2"
        self.bad(412, "changed-meanwhile", self.ask(
            "PATCH", path, self.admin, {"slug": slug}, If_Match='"7"'))
        renamed = self.good(200, self.ask(
            "PATCH", path, self.admin, {"slug": slug},
            If_Match=headers["ETag"]))
        self.assertEqual((renamed["id"], renamed["slug"], renamed["name"]),
                         (made["id"], slug, "A shop"))
        # The old slug redirects, with what was asked.
        status, headers, _ = self.ask(
            "GET", path + "/costs?tz=%2B05:45&x=a%26b", self.admin)
        self.assertEqual(status, 308)
        self.assertEqual(headers["Location"], "/v1/projects/%s/costs?"
                         "tz=%%2B05%%3A45&x=a%%26b" % slug)
        # Clients that send calls follow no redirect with their key.
        key = self.new_key(slug, "ingest")["key"]
        sender = Sender()
        batch = sender.batch([sender.step()])
        self.assertEqual(self.server.post(key, batch, made["slug"])[0], 200)
        # It belongs to nobody else, and redirects nobody who may not know.
        self.assertEqual(self.ask("GET", path, self.read)[0], 404)
        # Another project may take it.
        self.bad(409, "slug-taken", self.ask(
            "POST", "/v1/projects", self.admin, {"slug": slug}))
        again = self.good(201, self.ask("POST", "/v1/projects", self.admin,
                                        {"slug": made["slug"]}))
        self.assertEqual(self.good(200, self.ask("GET", path, self.admin)),
                         again)
        path = "/v1/projects/" + made["id"]
        self.bad(409, "not-archived", self.ask("DELETE", path, self.admin))
        self.good(200, self.ask("PATCH", path, self.admin,
                                {"archived": True}))
        status, refusal = self.server.post(key, batch)
        self.refused(403, "project-archived", (status, refusal))
        self.assertEqual(self.ask("GET", path + "/costs", self.admin)[0], 200)
        self.good(204, self.ask("DELETE", path, self.admin))
        self.assertEqual(self.ask("GET", path, self.admin)[0], 404)
        self.assertEqual(self.server.post(key, batch)[0], 401)
        # What it held goes, bit by bit.
        deadline = time.monotonic() + 20
        with sqlite3.connect(self.database()) as db:
            while True:
                left = [db.execute("SELECT count(*) FROM %s WHERE %s=?" % (
                    table, column), (project,)).fetchone()[0]
                        for table, column, project in (
                            ("project", "uuid", made["id"]),)]
                if left == [0]:
                    break
                self.assertLess(time.monotonic(), deadline, left)
                time.sleep(0.1)
            for table in ("span", "trace", "rollup", "label", "instance",
                          "api_key"):
                orphans = db.execute(
                    "SELECT count(*) FROM %s WHERE project NOT IN "
                    "(SELECT id FROM project)" % table).fetchone()
                self.assertEqual(orphans, (0,), table)
        actions = [e["action"] for e in self.good(200, self.ask(
            "GET", "/v1/audit?limit=20", self.admin))["data"]]
        self.assertIn("project.delete", actions)

    def database(self):
        return os.path.join(self.server.folder, "llmlab.db")

    def test_bad_names(self):
        for slug in ("", "-", "-a", ".a", "a/b", "a b", "é", "x" * 65,
                     "0193a7c8-1234-7abc-8abc-0123456789ab"):
            self.bad(400, "bad-field", self.ask(
                "POST", "/v1/projects", self.admin, {"slug": slug}), "slug")
        self.bad(400, "missing-field", self.ask(
            "POST", "/v1/projects", self.admin, {"name": "x"}), "slug")

    def test_lists_page_by_page(self):
        made = [self.project()["id"] for _ in range(5)]
        seen, cursor = [], ""
        while cursor is not None:
            page = self.good(200, self.ask(
                "GET", "/v1/projects?limit=2" + cursor, self.admin))
            self.assertLessEqual(len(page["data"]), 2)
            seen += [p["id"] for p in page["data"]]
            cursor = page["next_cursor"] and "&cursor=" + page["next_cursor"]
        self.assertEqual(len(seen), len(set(seen)))
        self.assertTrue(set(made) <= set(seen))
        # A key sees its own, an account those that it is a member of.
        own = self.good(200, self.ask("GET", "/v1/projects", self.read))
        self.assertEqual([p["slug"] for p in own["data"]], ["one"])
        viewer = self.person("two", "viewer")
        own = self.good(200, viewer.ask("GET", "/v1/projects"))
        self.assertEqual([p["slug"] for p in own["data"]], ["two"])

    def test_idempotency(self):
        body = {"slug": "idem%d" % random.getrandbits(60)}
        key = "k%d" % random.getrandbits(60)
        first = self.ask("POST", "/v1/projects", self.admin, body,
                         Idempotency_Key=key)
        again = self.ask("POST", "/v1/projects", self.admin, body,
                         Idempotency_Key=key)
        self.assertEqual(self.good(201, first), self.good(201, again))
        self.assertEqual(again[1]["Idempotency-Replayed"], "true")
        self.assertNotIn("Idempotency-Replayed", first[1])
        self.bad(422, "idempotency-key-reused", self.ask(
            "POST", "/v1/projects", self.admin, {"slug": "another-one"},
            Idempotency_Key=key))
        for bad in ("", "x" * 256, "a b"):
            self.bad(400, "bad-header", self.ask(
                "POST", "/v1/projects", self.admin, body, Idempotency_Key=bad))
        # What was refused may be asked anew.
        self.bad(409, "slug-taken", self.ask(
            "POST", "/v1/projects", self.admin, body, Idempotency_Key="z"))
        other = {"slug": body["slug"] + "-z"}
        self.good(201, self.ask("POST", "/v1/projects", self.admin, other,
                                Idempotency_Key="z"))
        # A key that is shown once is not in the file, replayable or not.
        made = self.ask("POST", "/v1/projects/-/keys", self.admin,
                        {"scope": "read"}, Idempotency_Key="secret")
        again = self.ask("POST", "/v1/projects/-/keys", self.admin,
                         {"scope": "read"}, Idempotency_Key="secret")
        text = self.good(201, made)["key"]
        self.assertEqual(text, self.good(201, again)["key"])
        for name in ("llmlab.db", "llmlab.db-wal"):
            with open(os.path.join(self.server.folder, name), "rb") as file:
                self.assertNotIn(text.encode(), file.read(), name)

    def test_idempotency_at_once(self):
        body = {"slug": "race%d" % random.getrandbits(60)}
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            replies = list(pool.map(
                lambda _: self.ask("POST", "/v1/projects", self.admin, body,
                                   Idempotency_Key=body["slug"]), range(16)))
        ids = {self.good(201, reply)["id"] for reply in replies}
        self.assertEqual(len(ids), 1)
        fresh = [r for r in replies if "Idempotency-Replayed" not in r[1]]
        self.assertEqual(len(fresh), 1)


class Keys(Base):
    def test_create_use_rotate_revoke(self):
        path = "/v1/projects/one/keys"
        made = self.new_key("one", "read", name="it's")
        self.assertTrue(made["key"].startswith(made["hint"]))
        self.assertEqual(len(made["key"]), 46)
        self.assertEqual(self.server.get(made["key"], "costs")[0], 200)
        self.assertNotIn("key", self.good(200, self.ask(
            "GET", "%s/%d" % (path, made["id"]), self.admin)))
        listed = self.good(200, self.ask("GET", path, self.admin))["data"]
        self.assertTrue(any(k["id"] == made["id"] for k in listed))
        self.assertNotIn(made["key"], json.dumps(listed))

        rotated = self.good(201, self.ask(
            "POST", "%s/%d/rotate" % (path, made["id"]), self.admin,
            {"overlap_seconds": 1}))
        self.assertEqual((rotated["rotated_from"], rotated["name"],
                          rotated["scope"]), (made["id"], "it's", "read"))
        for key in (made["key"], rotated["key"]):
            self.assertEqual(self.server.get(key, "costs")[0], 200)
        time.sleep(1.1)
        self.assertEqual(self.server.get(made["key"], "costs")[0], 401)
        self.assertEqual(self.server.get(rotated["key"], "costs")[0], 200)
        self.bad(409, "key-ended", self.ask(
            "POST", "%s/%d/rotate" % (path, made["id"]), self.admin))

        for _ in range(2):
            self.good(204, self.ask(
                "DELETE", "%s/%d" % (path, rotated["id"]), self.admin))
            self.assertEqual(self.server.get(rotated["key"], "costs")[0], 401)
        # Every step is told of.
        log = [e for e in self.good(200, self.ask(
            "GET", "/v1/projects/one/audit?limit=1000", self.admin))["data"]]
        for action, id_ in (("key.create", made["id"]),
                            ("key.expire", made["id"]),
                            ("key.rotate", rotated["id"]),
                            ("key.revoke", rotated["id"])):
            self.assertEqual(
                len([e for e in log if (e["action"], e["target"]) ==
                     (action, str(id_))]), 1, action)
        self.assertNotIn(made["key"], json.dumps(log))

    def test_rotation_at_once(self):
        made = self.new_key("one", "read")
        self.good(201, self.ask(
            "POST", "/v1/projects/one/keys/%d/rotate" % made["id"],
            self.admin, {"overlap_seconds": 0}))
        self.assertEqual(self.server.get(made["key"], "costs")[0], 401)

    def test_expiry(self):
        when = serving.rfc3339(time.time_ns() + 10**9)
        made = self.new_key("one", "read", expires_at=when)
        self.assertEqual(made["expires_at"], when)
        self.assertEqual(self.server.get(made["key"], "costs")[0], 200)
        time.sleep(1.1)
        self.assertEqual(self.server.get(made["key"], "costs")[0], 401)
        self.bad(400, "bad-field", self.ask(
            "POST", "/v1/projects/one/keys", self.admin,
            {"scope": "read", "expires_at": "2020-01-01T00:00:00Z"}),
            "expires_at")

    def test_patch(self):
        made = self.new_key("one", "read", requests_per_minute=1000)
        path = "/v1/projects/one/keys/%d" % made["id"]
        etag = self.ask("GET", path, self.admin)[1]["ETag"]
        got = self.good(200, self.ask("PATCH", path, self.admin,
                                      {"name": "n"}, If_Match=etag))
        self.assertEqual((got["name"], got["requests_per_minute"]),
                         ("n", 1000))
        got = self.good(200, self.ask("PATCH", path, self.admin,
                                      {"requests_per_minute": None}))
        self.assertEqual((got["name"], got["requests_per_minute"]),
                         ("n", None))
        self.bad(412, "changed-meanwhile", self.ask(
            "PATCH", path, self.admin, {"name": "m"}, If_Match=etag))

    def test_last_used_without_a_write_each(self):
        folder = self.server.folder
        made = self.new_key("one", "read")
        for _ in range(20):
            self.server.get(made["key"], "costs")
        # It is written when the server stops, at the latest.
        self.server.stop()
        try:
            with sqlite3.connect(os.path.join(folder, "llmlab.db")) as db:
                used = db.execute("SELECT last_used_ns FROM api_key WHERE "
                                  "id=?", (made["id"],)).fetchone()[0]
            self.assertAlmostEqual(used / 1e9, time.time(), delta=30)
        finally:
            self.server.start()

    def test_T51_cost_forged_by_an_ingest_key(self):
        """What a client says that a call cost decides nothing."""
        made = self.project()
        key = self.new_key(made["slug"], "ingest")["key"]
        sender, trace = Sender(), new_trace()
        steps = [sender.step(cost=cost, model="gpt-4o-mini", usage={
            "input_tokens": 1000, "output_tokens": 100})
                 for cost in ("0", "999999999.5", "0.00021", "-5")]
        status, reply = self.server.post(
            key, sender.batch(steps, trace, total_cost="0.01"))
        self.assertEqual(status, 200, reply)
        stored = 4 - len(reply["rejected"])
        total = self.good(200, self.ask(
            "GET", "/v1/projects/%s/costs" % made["slug"],
            self.admin))["total"]
        self.assertEqual(total["calls"], stored)
        # 1000 x 0.15 and 100 x 0.6 USD a million, each
        self.assertEqual(total["cost_usd"],
                         {3: "0.00063", 4: "0.00084"}[stored])


class Isolation(Base):
    def test_T52_two_projects_with_the_same_trace_id(self):
        trace = new_trace()
        for key, name, calls in ((self.key, "ours", 1), (self.other, "theirs",
                                                         2)):
            sender = Sender()
            self.accept(sender.batch(
                [sender.step(name=name, span_id="%016x" % (i + 1))
                 for i in range(calls)], trace), key, accepted=calls)
        for key, name, calls in ((self.read, "ours", 1),
                                 (self.other_read, "theirs", 2)):
            status, detail = self.server.get(key, "traces/" + trace)
            self.assertEqual((status, detail["calls"], detail["steps"]),
                             (200, calls, calls))
            self.assertEqual({s["name"] for s in detail["tree"]}, {name})

    def test_T1_another_projects_things_do_not_exist(self):
        theirs = self.new_key("two", "read")
        sender, trace = Sender(), new_trace()
        self.accept(sender.batch([sender.step()], trace), self.other)
        us = self.person("one", "owner")
        for path in ("traces/" + trace, "keys/%d" % theirs["id"],
                     "members/%d" % self.root.id):
            missing = path.split("/")[0] + {
                "traces": "/" + new_trace(), "keys": "/999999",
                "members": "/999999"}[path.split("/")[0]]
            for method in ("GET", "PATCH", "DELETE"):
                a = us.ask(method, "/v1/projects/one/" + path,
                           {} if method == "PATCH" else None)
                b = us.ask(method, "/v1/projects/one/" + missing,
                           {} if method == "PATCH" else None)
                self.assertIn(a[0], (400, 404, 405), (method, path))
                self.assertEqual((a[0], a[2]), (b[0], b[2]), (method, path))
            status, _, problem = us.ask("GET", "/v1/projects/two/" + path)
            self.assertIn(status, (404, 405))
        times = {"two": [], "nobody": []}
        for i in range(60):
            for name in times:
                begin = time.perf_counter()
                reply = us.ask("GET", "/v1/projects/%s/costs" % name)
                times[name].append(time.perf_counter() - begin)
                self.bad(404, "no-such-project", reply)
        a, b = (statistics.median(v) for v in times.values())
        self.assertLess(abs(a - b), max(a, b) * 0.5, (a, b))

    def test_T2_lists_hold_only_ones_own(self):
        theirs = self.new_key("two", "read")["id"]
        member = self.person("two", "viewer")
        us = self.person("one", "admin")
        for path in ("keys", "members", "invitations", "audit"):
            ids = json.dumps(self.good(200, us.ask(
                "GET", "/v1/projects/one/%s?limit=1000" % path)))
            self.assertNotIn('"id": %d,' % theirs, ids)
            self.assertNotIn(member.email, ids)
            self.bad(404, "no-such-project", us.ask(
                "GET", "/v1/projects/two/" + path))

    def test_T3_a_body_naming_another_project(self):
        before = self.total(self.other_read)["calls"]
        sender = Sender()
        batch = sender.batch([sender.step(project="two", org_id="two")])
        batch["project"] = batch["org_id"] = "two"
        batch["sdk"]["project"] = "two"
        self.accept(batch, accepted=1)
        self.assertEqual(self.total(self.other_read)["calls"], before)
        self.bad(400, "unknown-field", self.ask(
            "POST", "/v1/projects/one/keys", self.admin,
            {"scope": "read", "project": "two"}), "project")

    def test_T4_forged_cursors(self):
        for project in ("one", "two"):
            for _ in range(3):
                self.new_key(project, "read")
        cursors = {}
        for project in ("one", "two"):
            cursors[project] = self.good(200, self.ask(
                "GET", "/v1/projects/%s/keys?limit=1" % project,
                self.admin))["next_cursor"]
        good = cursors["one"]
        self.good(200, self.ask(
            "GET", "/v1/projects/one/keys?cursor=" + good, self.admin))
        forged = [cursors["two"], "", "zz", good[:-1], good + "00",
                  "ff" * 24, urllib.parse.quote("' OR 1=1")]
        for i in range(0, len(good), 3):
            digit = "0" if good[i] != "0" else "1"
            forged.append(good[:i] + digit + good[i + 1:])
        for cursor in forged:
            self.bad(400, "bad-parameter", self.ask(
                "GET", "/v1/projects/one/keys?cursor=" + cursor, self.admin),
                "cursor")
        # Of another list.
        self.bad(400, "bad-parameter", self.ask(
            "GET", "/v1/projects/one/audit?cursor=" + good, self.admin))

    def test_T5_every_route_of_another_project(self):
        """The route table, as the description has it: whoever has nothing in a
        project finds nothing there, whatever they ask."""
        import yaml
        with open(os.path.join(os.environ["LLMLAB_SOURCE_DIR"], "docs",
                               "openapi.yaml")) as file:
            paths = yaml.safe_load(file)["paths"]
        us = self.person("one", "owner")
        key = self.new_key("one", "read")
        count = 0
        for path, methods in paths.items():
            if "{project}" not in path:
                continue
            for method in set(methods) & {"get", "post", "patch", "delete",
                                          "put"}:
                address = path.replace("{project}", "two")
                while "{" in address:
                    begin, end = address.index("{"), address.index("}")
                    address = address[:begin] + "1" + address[end + 1:]
                status, _, reply = us.ask(method.upper(), address,
                                          None if method == "get" else {})
                self.assertEqual(status, 404, (method, path, reply))
                status, _, _ = self.ask(method.upper(), address, key["key"])
                self.assertIn(status, (403, 404), (method, path))
                status, _, _ = self.ask(method.upper(), address)
                self.assertEqual(status, 401, (method, path))
                count += 1
        self.assertGreater(count, 15)


class Authentication(Base):
    def test_T6_bad_keys(self):
        expired = self.new_key("one", "read")
        revoked = self.new_key("one", "read")
        self.good(204, self.ask("DELETE", "/v1/projects/one/keys/%d" %
                                revoked["id"], self.admin))
        with sqlite3.connect(os.path.join(self.server.folder,
                                          "llmlab.db")) as db:
            db.execute("UPDATE api_key SET expires_ns=1 WHERE id=?",
                       (expired["id"],))
        wrong = self.read[:-1] + ("0" if self.read[-1] != "0" else "1")
        for key in ("", "x", "llmlab_sk_", self.read[:-1], self.read + "0",
                    wrong, expired["key"], revoked["key"]):
            status, headers, reply = self.ask(
                "GET", "/v1/projects/-/costs", key)
            self.bad(401, "unauthorized", (status, headers, reply))
            self.assertIn("Bearer", headers["WWW-Authenticate"])
        self.assertEqual(self.ask("GET", "/v1/projects/-/costs")[0], 401)

    def test_T10_a_key_in_the_query_is_no_key(self):
        for name in ("key", "api_key", "access_token", "token"):
            self.assertEqual(self.ask(
                "GET", "/v1/projects/-/costs?%s=%s" % (name, self.read))[0],
                401)
        with open(os.path.join(self.server.folder, "log")) as log:
            text = log.read()
        for secret in (self.read, self.admin, PASSWORD, self.root.csrf,
                       self.root.cookie.split("=")[1], self.setup):
            self.assertNotIn(secret, text)

    def token(self, key=None):
        return self.good(200, self.ask("POST", "/v1/auth/token",
                                       key or self.read))["access_token"]

    def test_tokens(self):
        made = self.new_key("one", "read")
        token = self.token(made["key"])
        self.assertEqual(self.server.get(token, "costs")[0], 200)
        self.assertEqual(self.ask("GET", "/v1/projects/two/costs",
                                  token)[0], 404)
        self.assertEqual(self.ask("GET", "/v1/projects/one/keys",
                                  token)[0], 403)
        # It cannot live for ever, and ends with its key.
        self.bad(403, "forbidden", self.ask("POST", "/v1/auth/token", token))
        self.good(204, self.ask("DELETE", "/v1/projects/one/keys/%d" %
                                made["id"], self.admin))
        self.assertEqual(self.server.get(token, "costs")[0], 401)
        # One of a session ends with it.
        person = self.person("one", "viewer")
        token = self.good(200, person.ask("POST", "/v1/auth/token"))[
            "access_token"]
        self.assertEqual(self.ask("GET", "/v1/projects/one/costs",
                                  token)[0], 200)
        self.good(204, person.ask("POST", "/v1/auth/logout"))
        self.assertEqual(self.ask("GET", "/v1/projects/one/costs",
                                  token)[0], 401)

    def test_T7_forged_tokens(self):
        good = self.token()
        self.assertEqual(self.server.get(good, "costs")[0], 200)
        header, claims, signature = good.split(".")
        facts = json.loads(unb64(claims))
        head = json.loads(unb64(header))
        forged = []
        for change in ({"alg": "none"}, {"alg": "None"}, {"alg": "HS256"},
                       {"alg": "ES256"}, {"kid": "../../x"},
                       {"kid": "' OR 1=1"}, {"jwk": {}}, {"crit": ["exp"]},
                       {"x5u": "https://example.org"}):
            new = b64(json.dumps(dict(head, **change)))
            forged += [new + "." + claims + "." + signature,
                       new + "." + claims + "."]
            # Signed with what anybody may know.
            for secret in (b"", head["kid"].encode(), unb64(signature)):
                mac = hmac.new(secret, (new + "." + claims).encode(),
                               hashlib.sha256).digest()
                forged.append(new + "." + claims + "." + b64(mac))
        for change in ({"sub": "key:1"}, {"exp": facts["exp"] + 9},
                       {"aud": "x"}, {"iss": "x"}):
            forged.append(header + "." + b64(json.dumps(dict(facts, **change)))
                          + "." + signature)
        for i in (0, len(good) // 2, len(good) - 3):
            forged.append(good[:i] + ("A" if good[i] != "A" else "B") +
                          good[i + 1:])
        forged += [good + ".", good + ".x", "..", ".", "a.b.c", good[:-1],
                   header + "." + claims, "x" * 5000 + "." + good,
                   good.replace(".", "=."), header + "..\x7f"]
        for token in forged:
            status = self.ask("GET", "/v1/projects/-/costs", token)[0]
            self.assertEqual(status, 401, token)

    def test_login_and_logout(self):
        status, headers, session = self.ask("POST", "/v1/auth/login", body={
            "email": "ROOT@example.org", "password": PASSWORD})
        self.assertEqual(status, 200, session)
        cookie = headers["Set-Cookie"]
        self.assertTrue(cookie.startswith("__Host-llmlab="))
        for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
            self.assertIn(word, cookie)
        me = Account(self, headers, session)
        self.assertEqual(self.good(200, me.ask("GET", "/v1/auth/me"))["email"],
                         "root@example.org")
        status, headers, _ = me.ask("POST", "/v1/auth/logout")
        self.assertEqual(status, 204)
        self.assertIn("Max-Age=0", headers["Set-Cookie"])
        self.assertEqual(me.ask("GET", "/v1/auth/me")[0], 401)
        # The setup's token is used up.
        self.bad(400, "no-such-token", self.ask("POST", "/v1/auth/setup", body={
            "token": self.setup, "email": "x@example.org",
            "password": PASSWORD}))

    def test_T9_sessions_end_and_change(self):
        person = self.person("one", "viewer")
        before = person.cookie
        # Fixation: the id that a log-in comes with is not the one it leaves.
        status, headers, session = self.ask(
            "POST", "/v1/auth/login", body={"email": person.email,
                                            "password": PASSWORD},
            Cookie=before)
        self.assertEqual(status, 200)
        self.assertNotEqual(headers["Set-Cookie"].split(";")[0], before)
        self.assertEqual(person.ask("GET", "/v1/auth/me")[0], 401)
        chosen = "__Host-llmlab=" + "ab" * 32
        status, headers, session = self.ask(
            "POST", "/v1/auth/login", body={"email": person.email,
                                            "password": PASSWORD},
            Cookie=chosen)
        self.assertEqual(self.ask("GET", "/v1/auth/me", Cookie=chosen)[0], 401)
        second = Account(self, headers, session)
        third = Account(self, *self.ask("POST", "/v1/auth/login", body={
            "email": person.email, "password": PASSWORD})[1:])
        # Another password ends them all but the one that asked, anew.
        status, headers, session = second.ask(
            "POST", "/v1/auth/password", {"current_password": PASSWORD,
                                          "new_password": "x" * 12})
        self.assertEqual(status, 200, session)
        for old in (second, third):
            self.assertEqual(old.ask("GET", "/v1/auth/me")[0], 401)
        self.assertEqual(Account(self, headers, session).ask(
            "GET", "/v1/auth/me")[0], 200)
        self.assertEqual(self.ask("POST", "/v1/auth/login", body={
            "email": person.email, "password": PASSWORD})[0], 401)
        self.assertEqual(self.ask("POST", "/v1/auth/login", body={
            "email": person.email, "password": "x" * 12})[0], 200)

    def test_T27_tokens_are_used_once_and_hashed(self):
        invitation = self.good(201, self.ask(
            "POST", "/v1/projects/one/invitations", self.admin,
            {"email": "once@example.org", "role": "viewer"}))
        token = invitation["token"]
        self.assertGreaterEqual(len(unb64(token)), 16)
        for name in ("llmlab.db", "llmlab.db-wal"):
            with open(os.path.join(self.server.folder, name), "rb") as file:
                data = file.read()
            for secret in (token, PASSWORD, self.root.cookie.split("=")[1]):
                self.assertNotIn(secret.encode(), data)
        self.assertEqual(self.ask("POST", "/v1/auth/reset", body={
            "token": token, "password": PASSWORD})[0], 400)
        self.assertEqual(self.ask("POST", "/v1/auth/accept", body={
            "token": token, "password": PASSWORD})[0], 201)
        self.bad(400, "no-such-token", self.ask(
            "POST", "/v1/auth/accept", body={"token": token,
                                             "password": PASSWORD}))
        # Too late.
        late = self.good(201, self.ask(
            "POST", "/v1/projects/one/invitations", self.admin,
            {"email": "late@example.org", "role": "viewer"}))
        with sqlite3.connect(os.path.join(self.server.folder,
                                          "llmlab.db")) as db:
            db.execute("UPDATE ticket SET expires_ns=1 WHERE email=?",
                       ("late@example.org",))
        self.bad(400, "no-such-token", self.ask(
            "POST", "/v1/auth/accept", body={"token": late["token"],
                                             "password": PASSWORD}))
        # A reset ends sessions.
        person = self.person("one", "viewer")
        reset = self.good(201, self.ask(
            "POST", "/v1/accounts/%d/reset" % person.id, self.admin))
        self.good(200, self.ask("POST", "/v1/auth/reset", body={
            "token": reset["token"], "password": "y" * 12}))
        self.assertEqual(person.ask("GET", "/v1/auth/me")[0], 401)
        self.bad(400, "no-such-token", self.ask(
            "POST", "/v1/auth/reset", body={"token": reset["token"],
                                            "password": "z" * 12}))

    def test_bad_passwords(self):
        for password in ("", "short", "x" * 129, 5, None, ["x" * 12]):
            self.bad(400, "bad-field", self.ask(
                "POST", "/v1/auth/reset", body={"token": "t",
                                                "password": password}),
                "password")

    def test_disabled_account(self):
        person = self.person("one", "viewer")
        path = "/v1/accounts/%d" % person.id
        self.good(200, self.ask("PATCH", path, self.admin,
                                {"disabled": True}))
        self.assertEqual(person.ask("GET", "/v1/auth/me")[0], 401)
        self.assertEqual(self.ask("POST", "/v1/auth/login", body={
            "email": person.email, "password": PASSWORD})[0], 401)
        self.good(200, self.ask("PATCH", path, self.admin,
                                {"disabled": False}))
        self.assertEqual(self.ask("POST", "/v1/auth/login", body={
            "email": person.email, "password": PASSWORD})[0], 200)
        self.bad(409, "yourself", self.root.ask(
            "PATCH", "/v1/accounts/%d" % self.root.id, {"disabled": True}))


class Throttling(Base):
    options = ("--trusted-proxy", "127.0.0.0/8")

    def login(self, email, address, password="wrong"):
        begin = time.perf_counter()
        reply = self.ask("POST", "/v1/auth/login", body={
            "email": email, "password": password}, X_Forwarded_For=address)
        return reply, time.perf_counter() - begin

    def test_T8_wrong_passwords(self):
        statuses = [self.login("root@example.org", "192.0.2.1")[0][0]
                    for _ in range(20)]
        self.assertEqual(statuses, [401] * 10 + [429] * 10)
        reply, _ = self.login("root@example.org", "192.0.2.1", PASSWORD)
        self.bad(429, "too-many-tries", reply)
        self.assertGreater(int(reply[1]["Retry-After"]), 0)
        # Nobody locks another out from elsewhere.
        self.assertEqual(self.login("root@example.org", "192.0.2.2",
                                    PASSWORD)[0][0], 200)
        # A stranger learns not who has an account.
        times = {"root@example.org": [], "nobody@example.org": []}
        for i in range(8):
            for email in times:
                reply, seconds = self.login(email, "192.0.2.%d" % (i + 10))
                self.bad(401, "wrong-password", reply)
                times[email].append(seconds)
        a, b = (min(v) for v in times.values())
        self.assertLess(abs(a - b), 0.2 * max(a, b), times)

    def test_hashing_is_bounded(self):
        """A flood of log-ins takes neither the memory nor the server."""
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            flood = [pool.submit(self.login, "f%d@example.org" % i,
                                 "198.51.100.%d" % (i % 200))
                     for i in range(200)]
            begin = time.perf_counter()
            self.assertEqual(self.ask("GET", "/v1/projects/-/costs",
                                      self.read)[0], 200)
            waited = time.perf_counter() - begin
            statuses = [f.result()[0][0] for f in flood]
        self.assertLess(waited, 2)
        self.assertTrue(set(statuses) <= {401, 429}, set(statuses))
        self.assertIn(429, statuses)
        with open("/proc/%d/status" % self.server.process.pid) as file:
            peak = [line for line in file if line.startswith("VmHWM")][0]
        if "sanitize" not in os.environ.get("ASAN_OPTIONS", ""):
            self.assertLess(int(peak.split()[1]), 256 * 1024)


class Limits(Base):
    options = ("--account-limit", "30")

    def test_T19_burst_over_the_quota(self):
        made = self.new_key("one", "read", requests_per_minute=5)
        for i in range(5):
            status, headers, _ = self.ask("GET", "/v1/projects/-/costs",
                                          made["key"])
            self.assertEqual(status, 200)
            self.assertEqual(headers["RateLimit-Policy"],
                             '"default";q=5;w=60')
            self.assertRegex(headers["RateLimit"],
                             r'^"default";r=%d;t=\d+$' % (4 - i))
        status, headers, problem = self.ask("GET", "/v1/projects/-/costs",
                                            made["key"])
        self.bad(429, "too-many-requests", (status, headers, problem))
        self.assertEqual(headers["Content-Type"], "application/problem+json")
        self.assertTrue(0 < int(headers["Retry-After"]) <= 60)
        self.assertRegex(headers["RateLimit"], r'^"default";r=0;t=\d+$')
        # Others are not touched; more is allowed at once when it is.
        self.assertEqual(self.ask("GET", "/v1/projects/-/costs",
                                  self.read)[0], 200)
        self.good(200, self.ask(
            "PATCH", "/v1/projects/one/keys/%d" % made["id"], self.admin,
            {"requests_per_minute": 9}))
        self.assertEqual(self.ask("GET", "/v1/projects/-/costs",
                                  made["key"])[0], 200)

    def test_accounts_have_a_limit_too(self):
        person = self.person("one", "viewer")
        statuses = [person.ask("GET", "/v1/auth/me")[0] for _ in range(31)]
        self.assertEqual(statuses, [200] * 30 + [429])

    def test_T20_bad_numbers(self):
        for limit in ("0", "-1", "1001", "1000000000", "9223372036854775808",
                      "1e3", "", "+5", " 5", "0x10", "5.0"):
            query = "?limit=" + urllib.parse.quote(limit)
            for path in ("keys", "members", "audit", "invitations", "traces"):
                self.bad(400, "bad-parameter", self.ask(
                    "GET", "/v1/projects/one/" + path + query, self.admin),
                    "limit")
        for number in (0, -1, 10**10, 2**63, "5", 1.5, True):
            self.bad(400, "bad-field", self.ask(
                "POST", "/v1/projects/one/keys", self.admin,
                {"scope": "read", "requests_per_minute": number}))


class Roles(Base):
    def test_T11_nobody_raises_themselves(self):
        member = self.person("one", "member")
        for reply in (
                member.ask("PATCH", "/v1/projects/one/members/%d" % member.id,
                           {"role": "owner"}),
                member.ask("PATCH", "/v1/accounts/%d" % member.id,
                           {"server_admin": True}),
                member.ask("POST", "/v1/projects/one/invitations",
                           {"email": member.email, "role": "owner"})):
            self.bad(403, "forbidden", reply)
        self.bad(400, "unknown-field", self.ask(
            "PATCH", "/v1/projects/one/members/%d" % member.id, self.admin,
            {"role": "admin", "org_id": 7}), "org_id")
        got = [m for m in self.good(200, self.ask(
            "GET", "/v1/projects/one/members", self.admin))["data"]
               if m["account_id"] == member.id]
        self.assertEqual(got[0]["role"], "member")
        # An admin of a project is none of the server, nor its owner.
        admin = self.person("one", "admin")
        self.bad(403, "forbidden", admin.ask(
            "POST", "/v1/projects/one/keys", {"scope": "admin"}))
        self.bad(403, "forbidden", admin.ask(
            "PATCH", "/v1/projects/one/members/%d" % admin.id,
            {"role": "owner"}))
        ids = [k["id"] for k in self.good(200, admin.ask(
            "GET", "/v1/projects/one/keys?limit=1000"))["data"]
               if k["scope"] == "admin"]
        for id_ in ids:
            path = "/v1/projects/one/keys/%d" % id_
            self.bad(403, "forbidden", admin.ask("DELETE", path))
            self.bad(403, "forbidden", admin.ask("POST", path + "/rotate"))
            self.bad(403, "forbidden", admin.ask("PATCH", path, {}))
        self.bad(403, "forbidden", admin.ask("POST", "/v1/projects",
                                             {"slug": "mine"}))

    def test_T13_unknown_fields(self):
        for method, path in (("POST", "/v1/projects"),
                             ("PATCH", "/v1/projects/one"),
                             ("POST", "/v1/projects/one/keys"),
                             ("POST", "/v1/projects/one/invitations"),
                             ("POST", "/v1/auth/login"),
                             ("POST", "/v1/auth/setup")):
            self.bad(400, "unknown-field", self.ask(
                method, path, self.admin, {"what": 1}), "what")

    def test_T14_a_key_twice(self):
        member = self.person("one", "viewer")
        self.bad(400, "malformed-json", self.ask(
            "PATCH", "/v1/projects/one/members/%d" % member.id, self.admin,
            raw='{"role":"viewer","role":"admin"}'))
        for raw in ('{"role":"viewer"', "[]", "5", '"x"', "null", "",
                    '{"role":"viewer"} x', '{"role":01}', '{"role":"\x01"}',
                    '{"role":"\\u0000"}', '{"role":"\\ud800"}x',
                    "[" * 50000):
            status, _, reply = self.ask(
                "PATCH", "/v1/projects/one/members/%d" % member.id,
                self.admin, raw=raw)
            self.assertEqual((status, reply["type"]), (
                400, "urn:llmlab:problem:malformed-json"), raw[:40])
        status, _, _ = self.server.request(
            "PATCH", "/v1/projects/one/members/%d" % member.id, self.admin,
            b'{"role":"\xff"}', {})
        self.assertEqual(status, 400)

    def test_T23_scopes(self):
        ingest, read = self.key, self.read
        for method, path in (("GET", "costs"), ("GET", "traces"),
                             ("GET", "keys"), ("POST", "keys"),
                             ("GET", "members"), ("GET", "audit"),
                             ("GET", ""), ("PATCH", ""), ("DELETE", ""),
                             ("POST", "invitations")):
            address = "/v1/projects/one/" + path
            self.bad(403, "forbidden", self.ask(
                method, address.rstrip("/"), ingest,
                {} if method in ("POST", "PATCH") else None))
        for method, path in (("POST", "keys"), ("PATCH", ""), ("DELETE", ""),
                             ("POST", "invitations"), ("GET", "keys"),
                             ("POST", "traces"), ("DELETE", "members/1")):
            address = "/v1/projects/one/" + path
            self.bad(403, "forbidden", self.ask(
                method, address.rstrip("/"), read,
                {} if method in ("POST", "PATCH") else None))
        for path in ("/v1/accounts", "/v1/audit"):
            for key in (ingest, read):
                self.bad(403, "forbidden", self.ask("GET", path, key))
        self.bad(403, "forbidden", self.ask("POST", "/v1/projects", read,
                                            {"slug": "x"}))

    def test_T24_viewers_change_nothing(self):
        viewer = self.person("one", "viewer")
        self.assertEqual(viewer.ask("GET", "/v1/projects/one/costs")[0], 200)
        for method, path in (("POST", "keys"), ("DELETE", "keys/1"),
                             ("PATCH", "keys/1"), ("DELETE", ""),
                             ("POST", "invitations"), ("PATCH", ""),
                             ("DELETE", "members/%d" % viewer.id)):
            address = ("/v1/projects/one/" + path).rstrip("/")
            self.bad(403, "forbidden", viewer.ask(
                method, address, {} if method != "DELETE" else None))
            for name in ("X_HTTP_Method_Override", "X_HTTP_Method",
                         "X_Method_Override"):
                status = viewer.ask("GET", address, None, **{name: method})[0]
                self.assertIn(status, (200, 403, 404, 405))
        keys = "/v1/projects/one/keys"
        self.bad(403, "forbidden", viewer.ask("GET", keys))
        self.assertEqual(viewer.ask("HEAD", keys)[0], 403)
        self.assertEqual(viewer.ask("OPTIONS", keys)[0], 405)
        self.assertEqual(viewer.ask("TRACE", keys)[0], 405)

    def test_T25_the_last_owner_stays(self):
        slug = self.project()["slug"]
        first = self.person(slug, "owner")
        path = "/v1/projects/%s/members/%d"
        for who in (first.ask,
                    lambda m, p, b=None: self.ask(m, p, self.admin, b)):
            self.bad(409, "last-owner", who("DELETE", path % (slug,
                                                              first.id)))
            self.bad(409, "last-owner", who("PATCH", path % (slug, first.id),
                                            {"role": "admin"}))
        second = self.person(slug, "owner")
        self.good(200, first.ask("PATCH", path % (slug, first.id),
                                 {"role": "admin"}))
        self.bad(409, "last-owner", second.ask("DELETE",
                                               path % (slug, second.id)))
        # Who is one no more, is none at once.
        self.bad(403, "forbidden", first.ask(
            "PATCH", path % (slug, second.id), {"role": "viewer"}))
        self.good(204, second.ask("DELETE", path % (slug, first.id)))
        self.bad(404, "no-such-project", first.ask(
            "GET", "/v1/projects/" + slug))

    def test_invitations(self):
        slug = self.project()["slug"]
        owner = self.person(slug, "owner")
        path = "/v1/projects/%s/invitations" % slug
        made = self.good(201, owner.ask("POST", path, {
            "email": "New@Example.org", "role": "member"}))
        listed = self.good(200, owner.ask("GET", path))["data"]
        self.assertEqual([i["email"] for i in listed], ["new@example.org"])
        self.assertNotIn("token", listed[0])
        self.good(204, owner.ask("DELETE", path + "/%d" % made["id"]))
        self.bad(404, "no-such-invitation", owner.ask(
            "DELETE", path + "/%d" % made["id"]))
        self.bad(400, "no-such-token", self.ask(
            "POST", "/v1/auth/accept", body={"token": made["token"],
                                             "password": PASSWORD}))
        # Who has an account joins with its password, and no other.
        person = self.person("one", "viewer")
        made = self.good(201, owner.ask("POST", path, {
            "email": person.email, "role": "member"}))
        body = {"token": made["token"], "password": "not this one at all"}
        self.bad(401, "wrong-password", self.ask("POST", "/v1/auth/accept",
                                                 body=body))
        self.good(201, self.ask("POST", "/v1/auth/accept",
                                body=dict(body, password=PASSWORD)))
        members = self.good(200, owner.ask(
            "GET", "/v1/projects/%s/members" % slug))["data"]
        self.assertEqual({m["email"]: m["role"] for m in members},
                         {owner.email: "owner", person.email: "member"})
        for email in ("x", "@x", "x@", "a b@c", "a@b@c", "x" * 300 + "@y.z"):
            self.bad(400, "bad-field", owner.ask(
                "POST", path, {"email": email, "role": "member"}), "email")


class Pages(Base):
    options = ("--cors-origin", "https://ours.example.org")

    def test_T33_foreign_pages(self):
        path = "/v1/projects/one/costs"
        headers = self.ask("GET", path, self.read,
                           Origin="https://evil.example.org")[1]
        self.assertNotIn("Access-Control-Allow-Origin", headers)
        headers = self.ask("GET", path, self.read,
                           Origin="https://ours.example.org")[1]
        self.assertEqual(headers["Access-Control-Allow-Origin"],
                         "https://ours.example.org")
        self.assertNotIn("Access-Control-Allow-Credentials", headers)
        for origin, expected in (("https://ours.example.org", 204),
                                 ("https://evil.example.org", 405),
                                 ("null", 405)):
            status, headers, _ = self.ask(
                "OPTIONS", path, Origin=origin,
                Access_Control_Request_Method="GET")
            self.assertEqual(status, expected)
            self.assertEqual("Access-Control-Allow-Methods" in headers,
                             expected == 204)
        # A cookie is good with its token and from our own page only.
        person = self.person("one", "admin")
        keys, body = "/v1/projects/one/keys", {"scope": "read"}
        own = "http://127.0.0.1:%d" % self.server.port
        for headers in ({"X_CSRF_Token": None}, {"X_CSRF_Token": "0" * 32},
                        {"X_CSRF_Token": self.root.csrf},
                        {"Sec_Fetch_Site": "cross-site"},
                        {"Sec_Fetch_Site": "same-site"},
                        {"Origin": "https://evil.example.org"},
                        {"Origin": "https://ours.example.org"},
                        {"Origin": "null"}):
            self.bad(403, "csrf", person.ask("POST", keys, body, **headers))
        for headers in ({}, {"Sec_Fetch_Site": "same-origin"},
                        {"Origin": own}):
            self.good(201, person.ask("POST", keys, body, **headers))
        # Nor is anybody logged in by a foreign page.
        login = {"email": person.email, "password": PASSWORD}
        for headers in ({"Sec_Fetch_Site": "cross-site"},
                        {"Origin": "https://evil.example.org"}):
            self.bad(403, "csrf", self.ask("POST", "/v1/auth/login",
                                           body=login, **headers))
        self.assertEqual(self.ask("POST", "/v1/auth/login", body=login,
                                  Content_Type="text/plain")[0], 415)

    def test_T34_errors_tell_nothing_of_the_inside(self):
        texts = []
        for method, path, body in (
                ("GET", "/v1/projects/'%20OR%201=1/costs", None),
                ("GET", "/v1/projects/one/keys/99999999999999999999", None),
                ("POST", "/v1/projects", {"slug": "x'; DROP TABLE x; --"}),
                ("GET", "/v1/nowhere", None)):
            status, headers, reply = self.ask(method, path, self.admin, body)
            self.assertIn(status, (400, 404))
            self.assertNotIn("Server", headers)
            texts.append(json.dumps(reply))
        for word in ("sqlite", "SELECT", ".c:", "/tmp", "llmlab.db"):
            for text in texts:
                self.assertNotIn(word, text)

    def test_T42_statements_in_every_field(self):
        bad = "'; DROP TABLE account; --"
        made = self.project(name=bad)
        key = self.new_key(made["slug"], "read", name=bad)
        self.assertEqual((made["name"], key["name"]), (bad, bad))
        self.good(200, self.ask("PATCH", "/v1/projects/" + made["slug"],
                                self.admin, {"name": bad + '"'}))
        for path in ("projects/%s/costs", "projects/%s", "projects/one/keys/%s",
                     "accounts/%s/reset"):
            status = self.ask("GET", "/v1/" + path % urllib.parse.quote(bad),
                              self.admin)[0]
            self.assertIn(status, (404, 405))
        self.assertEqual(self.ask("POST", "/v1/auth/login", body={
            "email": bad, "password": bad})[0], 401)
        self.assertEqual(self.root.ask("GET", "/v1/auth/me")[0], 200)

    def test_T45_text_is_never_cut(self):
        made = self.project(name="é\U0001f600\ufffd")
        self.assertEqual(made["name"], "é\U0001f600\ufffd")
        for raw in (b'{"slug":"ab\\u0000cd"}', b'{"slug":"a\xc3"}',
                    b'{"slug":"a\xed\xa0\x80"}'):
            status, _, text = self.server.request(
                "POST", "/v1/projects", self.admin, raw,
                {"Content-Type": "application/json"})
            self.assertEqual(status, 400, raw)

    def test_T15_bodies_have_a_limit(self):
        status, _, reply = self.ask(
            "POST", "/v1/projects", self.admin, {"slug": "x" * 1100000})
        self.assertEqual((status, reply["limit"]), (413, 1048576))
        status, _, reply = self.ask("POST", "/v1/auth/login", body={
            "email": "x" * 20000, "password": "y"})
        self.assertEqual((status, reply["limit"]), (413, 16384))


class Addresses(Base):
    options = ("--trusted-proxy", "127.0.0.1", "--trusted-proxy",
               "10.0.0.0/8", "--trusted-proxy", "2001:db8::/32")

    def seen(self, forwarded):
        made = self.good(201, self.ask(
            "POST", "/v1/projects/one/keys", self.admin, {"scope": "read"},
            X_Forwarded_For=forwarded))
        log = self.good(200, self.ask(
            "GET", "/v1/projects/one/audit?limit=1", self.admin))["data"]
        self.assertEqual(log[0]["target"], str(made["id"]))
        return log[0]["address"]

    def test_forwarded_addresses(self):
        for forwarded, expected in (
                ("192.0.2.7", "192.0.2.7"),
                ("203.0.113.9, 192.0.2.7", "192.0.2.7"),
                ("203.0.113.9, 10.1.2.3", "203.0.113.9"),
                ("203.0.113.9,10.1.2.3,2001:db8::5", "203.0.113.9"),
                ("2001:0DB9::1", "2001:db9::1"),
                ("nonsense", "127.0.0.1"),
                ("192.0.2.7, nonsense", "127.0.0.1"),
                ("'; DROP TABLE x", "127.0.0.1"),
                (", ,", "127.0.0.1"), ("x" * 200, "127.0.0.1"),
                ("10.1.1.1, 10.2.2.2", "10.1.1.1")):
            self.assertEqual(self.seen(forwarded), expected, forwarded)


class Unforwarded(Base):
    def test_strangers_are_not_believed(self):
        self.ask("POST", "/v1/projects/one/keys", self.admin,
                 {"scope": "read"}, X_Forwarded_For="192.0.2.7")
        log = self.good(200, self.ask(
            "GET", "/v1/projects/one/audit?limit=1", self.admin))["data"]
        self.assertEqual(log[0]["address"], "127.0.0.1")


class Providers(Base):
    path = "/v1/projects/one/providers"
    secret = "sk-admin-" + "fake" * 10

    def files(self):
        data = b""
        for name in os.listdir(self.server.folder):
            with open(os.path.join(self.server.folder, name), "rb") as file:
                data += file.read()
        return data

    def test_T12_a_secret_never_comes_back(self):
        made = self.good(201, self.ask("POST", self.path, self.admin, {
            "provider": "openai", "name": "main", "credential": self.secret,
            "settings": {"organization": "org-1"}}, Idempotency_Key="p1"))
        self.assertEqual((made["status"], made["credential_hint"],
                          made["settings"]), (
            "unverified", self.secret[-4:], {"organization": "org-1"}))
        path = self.path + "/%d" % made["id"]
        changed = self.good(200, self.ask("PATCH", path, self.admin,
                                          {"name": "other"}))
        self.assertEqual((changed["name"], changed["credential_hint"]),
                         ("other", self.secret[-4:]))
        for method, where, body in (
                ("GET", self.path, None), ("GET", path, None),
                ("GET", "/v1/projects/one/audit", None),
                ("POST", path + "/verify", None),
                ("POST", self.path, {"provider": "openai", "name": "x",
                                     "credential": self.secret[3:]}),
                ("PATCH", path, {"credential": self.secret + "\n"})):
            reply = json.dumps(self.ask(method, where, self.admin, body)[2])
            self.assertNotIn(self.secret[:-4], reply, where)
            self.assertNotIn(self.secret[3:], reply, where)
        self.assertNotIn(self.secret.encode(), self.files())
        self.good(204, self.ask("DELETE", path, self.admin))
        self.bad(404, "no-such-provider-account", self.ask(
            "GET", path, self.admin))

    def test_bad_input(self):
        good = {"provider": "openai", "name": "bad", "credential": self.secret}
        for change, field in (
                ({"provider": "nobody"}, "provider"), ({"name": ""}, "name"),
                ({"name": "x" * 129}, "name"),
                ({"credential": "sk-proj-fake"}, "credential"),
                ({"credential": ""}, "credential"),
                ({"credential": "sk-admin-" + "x" * 70000}, "credential"),
                ({"settings": {"what": "x"}}, "what"),
                ({"settings": {"organization": 5}}, "organization"),
                ({"settings": []}, "settings"),
                ({"provider": "google"}, "credential")):
            self.bad(400, "bad-field", self.ask(
                "POST", self.path, self.admin, dict(good, **change)), field)
        made = self.good(201, self.ask("POST", self.path, self.admin, good))
        self.bad(409, "name-taken", self.ask("POST", self.path, self.admin,
                                             good))
        path = self.path + "/%d" % made["id"]
        self.bad(412, "changed-meanwhile", self.ask(
            "PATCH", path, self.admin, {"name": "z"}, If_Match='"9"'))
        self.bad(409, "cannot-verify", self.ask("POST", path + "/verify",
                                                self.admin))
        # Who may look may not change.
        viewer = self.person("one", "viewer")
        self.assertEqual(viewer.ask("GET", path)[0], 200)
        for method in ("PATCH", "DELETE"):
            self.bad(403, "forbidden", viewer.ask(
                method, path, {} if method == "PATCH" else None))
        self.bad(404, "no-such-provider-account", self.ask(
            "GET", "/v1/projects/two/providers/%d" % made["id"], self.admin))


class MasterKey(Base):
    def run_server(self, *arguments):
        return subprocess.run([SERVER, *arguments], capture_output=True,
                              text=True, timeout=30)

    def test_master_key_and_rekey(self):
        folder = self.server.folder
        path = os.path.join(folder, "llmlab.db-master-key")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        token = self.good(200, self.ask("POST", "/v1/auth/token",
                                        self.read))["access_token"]
        self.good(201, self.ask("POST", "/v1/projects/one/providers",
                                self.admin, {
                                    "provider": "aws", "name": "a",
                                    "credential": "example"}))
        result = self.run_server("secrets", "rekey", "--data", folder)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("serves", result.stderr)
        self.server.stop()
        try:
            with open(path) as file:
                before = file.read()
            result = self.run_server("secrets", "rekey", "--data", folder)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("1 secrets", result.stdout)
            with open(path) as file:
                after = file.read()
            self.assertNotEqual(before, after)
            self.assertNotIn(after.strip(), result.stdout + result.stderr)
            # Refused: readable by others, another key, none.
            os.chmod(path, 0o644)
            self.assertIn("others may read", self.refusal(folder))
            os.chmod(path, 0o600)
            os.rename(path, path + ".kept")
            self.assertIn("missing", self.refusal(folder))
            with open(path, "w") as file:
                os.chmod(path, 0o600)
                file.write(before)
            self.assertIn("missing, or not", self.refusal(folder))
            # A rekey that ended before its last step is finished.
            os.unlink(path)
            os.rename(path + ".kept", path + ".new")
        finally:
            self.server.start()
        self.assertTrue(os.path.exists(path))
        # Tokens signed before are void; keys and sessions are not.
        self.assertEqual(self.server.get(token, "costs")[0], 401)
        self.assertEqual(self.server.get(self.read, "costs")[0], 200)
        self.assertEqual(self.root.ask("GET", "/v1/auth/me")[0], 200)

    def refusal(self, folder):
        result = self.run_server("--data", folder, "--listen", "127.0.0.1:0")
        self.assertNotEqual(result.returncode, 0)
        return result.stderr


def b64(data):
    data = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


if __name__ == "__main__":
    serving.main()
