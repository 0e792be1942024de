#!/usr/bin/env python3
"""How llmlab-server knows who asks: keys, passwords, sessions, tokens, pages, and
the master key. Tests named T<number> are those of the security bar.

llmlab-test: threads timeout=300
"""

import concurrent.futures
import hashlib
import hmac
import json
import os
import socket
import sqlite3
import subprocess
import time
import urllib.parse

import serving
from accounts import PASSWORD, Account, Base, b64, unb64
from serving import SERVER


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
        # A stranger learns not who has an account. Without a hash for who is
        # unknown the times would be some forty to one. Others use the machine
        # too: the least of each tells, within a factor of two.
        times = {"root@example.org": [], "nobody@example.org": []}
        for i in range(30):
            for email in times:
                reply, seconds = self.login(email, "192.0.2.%d" % (i + 10))
                self.bad(401, "wrong-password", reply)
                times[email].append(seconds)
            a, b = (min(v) for v in times.values())
            if i >= 8 and max(a, b) < 2 * min(a, b):
                break
        self.assertLess(max(a, b), 2 * min(a, b), times)

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


    def test_several_headers_are_one_list(self):
        """What a proxy adds stands after what a stranger sent."""
        body = b'{"scope":"read"}'
        with socket.create_connection(("127.0.0.1", self.server.port),
                                      10) as link:
            link.sendall(b"POST /v1/projects/one/keys HTTP/1.1\r\nHost: x\r\n"
                         b"Authorization: Bearer " + self.admin.encode() +
                         b"\r\nX-Forwarded-For: 203.0.113.9\r\n"
                         b"X-Forwarded-For: " + b"1.1.1.1," * 200 + b"\r\n"
                         b"x-forwarded-for: 192.0.2.7\r\n"
                         b"Content-Length: %d\r\n\r\n" % len(body) + body)
            self.assertIn(b" 201 ", link.recv(4096))
        log = self.good(200, self.ask(
            "GET", "/v1/projects/one/audit?limit=1", self.admin))["data"]
        self.assertEqual(log[0]["address"], "192.0.2.7")


class Unforwarded(Base):
    def test_strangers_are_not_believed(self):
        self.ask("POST", "/v1/projects/one/keys", self.admin,
                 {"scope": "read"}, X_Forwarded_For="192.0.2.7")
        log = self.good(200, self.ask(
            "GET", "/v1/projects/one/audit?limit=1", self.admin))["data"]
        self.assertEqual(log[0]["address"], "127.0.0.1")


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


if __name__ == "__main__":
    serving.main()
