#!/usr/bin/env python3
"""llmlab login, projects, keys, members: a server managed from a shell.

llmlab-test: timeout=120
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

import accounts
import serving

LLMLAB = os.path.join(serving.BUILD, "bin", "llmlab")
ENVIRONMENT = {k: v for k, v in os.environ.items()
               if not k.startswith("LLMLAB_")}
# Nothing of a test in the user's own spool.
ENVIRONMENT["LLMLAB_SPOOL_MODE"] = "off"


class Manage(accounts.Base):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="llmlab-cli-")
        self.addCleanup(folder.cleanup)
        self.home = folder.name

    def run_cli(self, *arguments, stdin="", key=None, code=0, **variables):
        env = dict(ENVIRONMENT, HOME=self.home, **variables)
        env.pop("XDG_CONFIG_HOME", None)
        if key is not None:
            env.update(LLMLAB_API_KEY=key,
                       LLMLAB_URL="http://127.0.0.1:%d" % self.server.port)
        result = subprocess.run([LLMLAB, *arguments], input=stdin, timeout=60,
                                capture_output=True, text=True, env=env)
        self.assertEqual(result.returncode, code,
                         (arguments, result.stdout, result.stderr))
        return result

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.server.port

    def test_projects(self):
        out = self.run_cli("projects", "create", "cli-shop", "--name",
                           "A shop", key=self.admin).stdout
        self.assertTrue(out.startswith("cli-shop ("), out)
        self.run_cli("projects", "rename", "cli-shop", "cli-store",
                     key=self.admin)
        listed = self.run_cli("projects", "--json", key=self.admin).stdout
        rows = [json.loads(line) for line in listed.splitlines()]
        self.assertIn(("cli-store", "A shop"),
                      [(r["slug"], r["name"]) for r in rows])
        self.assertIn("cli-store", self.run_cli("projects",
                                                key=self.admin).stdout)
        refusal = self.run_cli("projects", "delete", "cli-store",
                               key=self.admin, code=1)
        self.assertIn("archive it first", refusal.stderr)
        self.assertIn("archived", self.run_cli(
            "projects", "archive", "cli-store", key=self.admin).stdout)
        self.run_cli("projects", "restore", "cli-store", key=self.admin)
        self.run_cli("projects", "archive", "cli-store", key=self.admin)
        self.run_cli("projects", "delete", "cli-store", key=self.admin)
        self.assertNotIn("cli-store", self.run_cli(
            "projects", key=self.admin).stdout)

    def test_keys(self):
        made = self.run_cli("keys", "create", "--scope", "read", "--name",
                            "cli", "--project", "one", key=self.admin)
        key = made.stdout.strip()
        self.assertEqual(len(key), 46)
        self.assertNotIn(key, made.stderr)
        self.assertEqual(self.server.get(key, "costs")[0], 200)
        rows = [json.loads(line) for line in self.run_cli(
            "keys", "--json", key=self.admin).stdout.splitlines()]
        mine = [r for r in rows if r["name"] == "cli"][0]
        rotated = self.run_cli("keys", "rotate", str(mine["id"]), "--overlap",
                               "0", key=self.admin).stdout.strip()
        self.assertEqual(self.server.get(key, "costs")[0], 401)
        self.assertEqual(self.server.get(rotated, "costs")[0], 200)
        self.assertEqual(self.run_cli("keys", "revoke", str(mine["id"]),
                                      key=self.admin).stdout, "revoked\n")
        self.assertIn("no key of this id", self.run_cli(
            "keys", "revoke", "999999", key=self.admin, code=1).stderr)
        self.assertIn("scope admin", self.run_cli(
            "keys", "create", key=self.read, code=1).stderr)

    def test_many_rows_come_page_by_page(self):
        made = {self.new_key("two", "read", name="n%d" % i)["id"]
                for i in range(20)}
        rows = [json.loads(line)["id"] for line in self.run_cli(
            "keys", "--json", "--project", "two",
            key=self.admin).stdout.splitlines()]
        self.assertTrue(made <= set(rows))
        self.assertEqual(len(rows), len(set(rows)))

    def test_login_members_logout(self):
        owner = self.person("one", "owner")
        out = self.run_cli("login", "--email", owner.email, "--url", self.url,
                           stdin=accounts.PASSWORD + "\n").stdout
        self.assertEqual(out, "logged in to %s as %s\n" % (self.url,
                                                           owner.email))
        path = os.path.join(self.home, ".config", "llmlab", "login.json")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with open(path) as file:
            self.assertNotIn(accounts.PASSWORD, file.read())
        # From here on nothing has to be said.
        self.assertIn("one", self.run_cli("projects").stdout)
        self.assertIn("which project?", self.run_cli("members",
                                                     code=1).stderr)
        invited = self.run_cli("members", "invite", "cli@example.org",
                               "viewer", "--project", "one")
        token = invited.stdout.strip()
        self.assertIn("cli@example.org", self.run_cli(
            "members", "invitations", "--project", "one").stdout)
        other = tempfile.TemporaryDirectory(prefix="llmlab-cli-")
        self.addCleanup(other.cleanup)
        home, self.home = self.home, other.name
        self.run_cli("login", "--email", "cli@example.org", "--invitation",
                     token, "--name", "Cli", "--url", self.url,
                     stdin="another password\n")
        self.assertIn("cli@example.org", self.run_cli(
            "members", "--project", "one").stdout)
        self.assertIn("the role admin", self.run_cli(
            "members", "invite", "x@example.org", "viewer", "--project",
            "one", code=1).stderr)
        self.home = home
        rows = [json.loads(line) for line in self.run_cli(
            "members", "--json", "--project", "one").stdout.splitlines()]
        account = [r["account_id"] for r in rows
                   if r["email"] == "cli@example.org"][0]
        self.assertIn("is member", self.run_cli(
            "members", "role", str(account), "member", "--project",
            "one").stdout)
        self.run_cli("members", "remove", str(account), "--project", "one")
        # What is kept goes to no other server.
        refusal = self.run_cli("projects", "--url", "http://127.0.0.1:9",
                               code=1)
        self.assertIn("llmlab login", refusal.stderr)
        self.assertEqual(self.run_cli("logout").stdout, "logged out\n")
        self.assertFalse(os.path.exists(path))
        self.assertIn("nobody is logged in", self.run_cli("logout",
                                                          code=1).stderr)
        self.assertIn("llmlab login", self.run_cli("projects", code=1).stderr)

    def test_login_by_key(self):
        wrong = self.read[:-1] + ("0" if self.read[-1] != "0" else "1")
        self.assertIn("refuses the key", self.run_cli(
            "login", "--url", self.url, stdin=wrong, code=1).stderr)
        self.assertIn("no API key", self.run_cli("projects", code=1).stderr)
        self.run_cli("login", "--url", self.url, stdin=self.read)
        self.assertIn("one", self.run_cli("projects").stdout)
        self.run_cli("costs")
        self.run_cli("logout")

    def test_login_refused(self):
        for arguments, stdin, word in (
                (["--email", "nobody@example.org"], "wrong wrong wrong",
                 "password is wrong"),
                (["--email", "x"], "", "nothing was given"),
                (["--invitation", "nope", "--email", "a@b"], "x" * 12,
                 "it was used, is over")):
            result = self.run_cli("login", "--url", self.url, *arguments,
                                  stdin=stdin, code=1)
            self.assertIn(word, result.stderr)

    def test_misuse(self):
        for arguments, word in (
                (["keys", "rotat"], 'Did you mean "rotate"?'),
                (["keys", "rotate"], "usage: llmlab keys rotate ID"),
                (["members", "invite", "a@b.c"],
                 "usage: llmlab members invite EMAIL ROLE"),
                (["projects", "create"], "usage: llmlab projects create SLUG"),
                (["login", "--setup", "x"], "--email is needed")):
            result = self.run_cli(*arguments, key=self.admin, code=2)
            self.assertIn(word, result.stderr)
        self.assertIn("it is one of viewer, member, admin, owner",
                      self.run_cli("members", "invite", "a@b.c", "boss",
                                   "--project", "one", key=self.admin,
                                   code=1).stderr)
        self.assertIn("limit", self.run_cli("keys", "create", "--limit", "x",
                                            key=self.admin, code=1).stderr)


if __name__ == "__main__":
    if not os.path.exists(LLMLAB):
        print("SKIP test_cli_manage: llmlab is not built")
        sys.exit(77)
    serving.main()
