#!/usr/bin/env python3
"""Who may what at llmlab-server: projects, keys, members, limits, provider
accounts, and that no project sees another's. Tests named T<number> are those of
the security bar.

llmlab-test: threads timeout=300
"""

import concurrent.futures
import http.client
import json
import os
import random
import signal
import sqlite3
import statistics
import threading
import time
import urllib.parse

import serving
from accounts import PASSWORD, Base
from serving import Sender, new_trace


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
                left = db.execute("SELECT deleted_ns FROM project WHERE "
                                  "uuid=?", (made["id"],)).fetchone()[0]
                if left < 0:
                    break
                self.assertLess(time.monotonic(), deadline, left)
                time.sleep(0.1)
            tables = [row[0] for row in db.execute(
                "SELECT name FROM sqlite_schema m WHERE type='table' AND "
                "name NOT IN ('audit', 'api_key') AND EXISTS (SELECT 1 FROM "
                "pragma_table_info(m.name) WHERE name='project')")]
            self.assertIn("span", tables)
            for table in tables:
                orphans = db.execute(
                    "SELECT count(*) FROM %s WHERE project IN (SELECT id "
                    "FROM project WHERE deleted_ns IS NOT NULL)" % table)
                self.assertEqual(orphans.fetchone(), (0,), table)
        actions = [e["action"] for e in self.good(200, self.ask(
            "GET", "/v1/audit?limit=20", self.admin))["data"]]
        self.assertIn("project.delete", actions)
        # What is new has a number of its own, and nobody's past.
        new = self.project()["slug"]
        self.assertEqual(len(self.good(200, self.ask(
            "GET", "/v1/projects/%s/audit" % new, self.admin))["data"]), 1)
        total = self.good(200, self.ask(
            "GET", "/v1/projects/%s/costs" % new, self.admin))["total"]
        self.assertEqual(total["spans"], 0)

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


class Killed(Base):
    def test_a_change_happens_once_through_kill_9(self):
        """Killed at any moment: asked again with its key, a change is there
        once, with one entry in the audit log."""
        slugs = []
        for i in range(12):
            slug = "kill-%d" % i
            slugs.append(slug)
            killer = threading.Timer(random.random() * 0.004,
                                     lambda: self.server.process.kill())
            killer.start()
            try:
                self.ask("POST", "/v1/projects", self.admin, {"slug": slug},
                         Idempotency_Key=slug)
            except OSError:
                pass
            except http.client.HTTPException:
                pass
            killer.join()
            self.server.stop(signal.SIGKILL)
            self.server.start()
            for _ in range(2):
                self.good(201, self.ask(
                    "POST", "/v1/projects", self.admin, {"slug": slug},
                    Idempotency_Key=slug))
        listed = [p["slug"] for p in self.good(200, self.ask(
            "GET", "/v1/projects?limit=1000", self.admin))["data"]]
        for slug in slugs:
            self.assertEqual(listed.count(slug), 1)
            log = self.good(200, self.ask(
                "GET", "/v1/projects/%s/audit" % slug, self.admin))["data"]
            self.assertEqual([e["action"] for e in log], ["project.create"])


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
        for i in range(300):
            for name in times:
                begin = time.perf_counter()
                reply = us.ask("GET", "/v1/projects/%s/costs" % name)
                times[name].append(time.perf_counter() - begin)
                self.bad(404, "no-such-project", reply)
            a, b = (statistics.median(v) for v in times.values())
            if i >= 40 and abs(a - b) < max(a, b) * 0.3:
                break
        self.assertLess(abs(a - b), max(a, b) * 0.3, (a, b))

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
        routes, path = [], None
        with open(os.path.join(os.environ["LLMLAB_SOURCE_DIR"], "docs",
                               "openapi.yaml")) as file:
            for line in file:
                if line.startswith("  /"):
                    path = line.strip().rstrip(":")
                elif line.strip() in ("get:", "post:", "patch:", "delete:",
                                      "put:") and line.startswith("    "):
                    routes.append((line.strip(" :\n").upper(), path))
        us = self.person("one", "owner")
        key = self.new_key("one", "read")
        count = 0
        for method, path in routes:
            if "{project}" not in path:
                continue
            address = path.replace("{project}", "two")
            while "{" in address:
                begin, end = address.index("{"), address.index("}")
                address = address[:begin] + "1" + address[end + 1:]
            body = None if method == "GET" else {}
            status, _, reply = us.ask(method, address, body)
            self.assertEqual(status, 404, (method, path, reply))
            status, _, _ = self.ask(method, address, key["key"], body)
            self.assertIn(status, (403, 404), (method, path))
            self.assertEqual(self.ask(method, address, body=body)[0], 401,
                             (method, path))
            count += 1
        self.assertGreater(count, 15)


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
                             ("POST", "traces"), ("GET", "members"),
                             ("DELETE", "members/1")):
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


if __name__ == "__main__":
    serving.main()
