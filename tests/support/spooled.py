"""A real llmlab-server and a spool of the test's own, and what the store holds
of the spans that programs/killed.c and others recorded."""

import collections
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["LLMLAB_SOURCE_DIR"], "tests",
                                "e2e"))
import serving  # noqa: E402

PROGRAMS = os.path.join(os.environ["LLMLAB_BUILD_DIR"], "tests", "%s" +
                        os.environ.get("LLMLAB_PROGRAMS", ""))


class Place:
    """A server's folder, a spool's directory, and one for rings on tmpfs."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="llmlab-spool-")
        self.data = os.path.join(self.folder, "data")
        self.spool = os.path.join(self.folder, "spool")
        os.mkdir(self.data)
        os.mkdir(self.spool, 0o700)
        self.rings = None
        if os.path.isdir("/dev/shm"):
            self.rings = tempfile.mkdtemp(prefix="llmlab-rings-",
                                          dir="/dev/shm")
        self.server = serving.Server(self.data)
        self.key = self.server.key("one", "ingest")

    def start(self):
        """Always at the same address: it is part of the tenant."""
        if hasattr(self, "port"):
            self.server.options = ("--listen", f"127.0.0.1:{self.port}")
        self.server.start()
        self.port = self.server.port
        self.url = f"http://127.0.0.1:{self.port}"

    def environment(self, **more):
        return {**os.environ, "LLMLAB_SPOOL_MODE": self.spool,
                "LLMLAB_SPOOL_RING_DIR": self.rings or "", **more}

    def run(self, program, *arguments, timeout=300, **more):
        return subprocess.run(
            [PROGRAMS % program, *arguments], check=True,
            env=self.environment(**more), stdout=subprocess.PIPE, text=True,
            timeout=timeout).stdout

    def begin(self, program, *arguments, **more):
        return subprocess.Popen(
            [PROGRAMS % program, *arguments],
            env=self.environment(**more), stdout=subprocess.PIPE, text=True)

    def left(self):
        names = os.listdir(self.spool)
        return names + (os.listdir(self.rings) if self.rings else [])

    def stored(self):
        """Spans by name; how many record numbers are known; after a stop."""
        database = [n for n in os.listdir(self.data) if n.endswith(".db")]
        db = sqlite3.connect(os.path.join(self.data, database[0]))
        names = collections.Counter(
            name for name, in db.execute("SELECT name FROM span"))
        numbers = db.execute(
            "SELECT ifnull(sum(last - first + 1), 0) FROM received")
        return names, numbers.fetchone()[0]

    def close(self):
        self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.rings:
            shutil.rmtree(self.rings, ignore_errors=True)


def judge(names, children):
    """children: {name: ends that returned}. Lost names, names stored twice,
    and names that nobody recorded."""
    lost = [f"{child}-{n}" for child, ends in children.items()
            for n in range(1, ends + 1) if f"{child}-{n}" not in names]
    twice = [name for name, count in names.items() if count > 1]
    strange = []
    for name in names:
        child, _, n = name.rpartition("-")
        # The one whose end had not yet returned may be there.
        if child not in children or int(n) > children[child] + 1:
            strange.append(name)
    return lost, twice, strange
