"""An llmlab-server with its first account, and people to act on it: what the
tests of who may what share."""

import base64
import json
import random

import serving

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


def b64(data):
    data = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
