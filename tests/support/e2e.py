"""The real programs, driven over HTTP: what the end-to-end tests share."""
import decimal
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import urllib.request

SOURCE = pathlib.Path(os.environ["LLMLAB_SOURCE_DIR"])
BUILD = pathlib.Path(os.environ["LLMLAB_BUILD_DIR"])
LLMLAB = str(BUILD / "bin" / "llmlab")
SERVER = str(BUILD / "bin" / "llmlab-server")
FIXTURES = SOURCE / "tests" / "fixtures" / "replies"
SHARED = SOURCE.parent / "shared" / "data"

# No variable of the machine may decide a test.
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if not name.startswith("LLMLAB_")}
# Nothing of a test in the user's own spool.
ENVIRONMENT["LLMLAB_SPOOL_MODE"] = "off"


def llmlab(*arguments, stdin=None, env=None, timeout=120):
    """Run the command; what it printed and its exit code."""
    return subprocess.run([LLMLAB, *map(str, arguments)], input=stdin,
                          capture_output=True, timeout=timeout,
                          env={**ENVIRONMENT, **(env or {})})


class Server:
    """llmlab-server on a folder of its own and a free port."""

    def __init__(self, *options):
        self.folder = tempfile.TemporaryDirectory(prefix="llmlab-e2e-")
        self.path = pathlib.Path(self.folder.name)
        self.database = str(self.path / "llmlab.db")
        self.options = list(options)
        self.process = None
        self.port = 0
        self.key = self.make_key("demo", "admin")
        self.start()

    def make_key(self, project, scope):
        made = subprocess.run(
            [SERVER, "key", "create", "--db", self.database, "--project",
             project, "--scope", scope],
            capture_output=True, check=True, timeout=30, env=ENVIRONMENT)
        return made.stdout.decode().split()[0]

    def start(self):
        """Start, or start again on the port it had."""
        port_file = self.path / "port"
        port_file.unlink(missing_ok=True)
        with open(self.path / "log", "ab") as log:
            self.process = subprocess.Popen(
                [SERVER, "--db", self.database, "--listen",
                 f"127.0.0.1:{self.port}", "--port-file", str(port_file),
                 *self.options],
                stdout=subprocess.DEVNULL, stderr=log, env=ENVIRONMENT)
        deadline = time.monotonic() + 20
        while not (port_file.exists() and port_file.read_text().strip()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.path / "log").read_text())
            time.sleep(0.02)
        self.port = int(port_file.read_text())
        self.url = f"http://127.0.0.1:{self.port}"

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)

    def stop(self):
        """SIGTERM; its exit code."""
        self.process.terminate()
        return self.process.wait(20)

    def close(self):
        """Stop it; a leak or a race that a sanitizer found fails the test."""
        try:
            if self.process.poll() is None:
                code = self.stop()
                if code != 0:
                    raise RuntimeError(f"llmlab-server ended with {code}:\n" +
                                       (self.path / "log").read_text())
        finally:
            self.folder.cleanup()

    @property
    def env(self):
        return {"LLMLAB_URL": self.url, "LLMLAB_API_KEY": self.key}

    def get(self, path, key=None):
        request = urllib.request.Request(
            f"{self.url}/v1/projects/-/{path}",
            headers={"Authorization": f"Bearer {key or self.key}"})
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)

    def total(self):
        """All that was ever stored, as sums."""
        return self.get("costs?start_date=2023-01-01&end_date=2032-12-31")[
            "total"]


def usage(folder, *options):
    """What `llmlab usage --jsonl` says of a folder of replies: its rows."""
    rows = (pathlib.Path(folder) / "index.jsonl").read_bytes()
    result = llmlab("usage", "--jsonl", "--root", folder, *options,
                    stdin=rows)
    if result.returncode != 0:
        raise RuntimeError(result.stderr.decode())
    return [json.loads(line) for line in result.stdout.splitlines()]


def effective_sum(rows):
    """The exact sum of the effective costs of usage's rows."""
    with decimal.localcontext() as context:
        context.prec = 60
        total = decimal.Decimal(0)
        for row in rows:
            stated = row["provider_cost_usd"]
            cost = stated if stated is not None else row["cost_usd"]
            total += decimal.Decimal(cost or 0)
        return total


def is_unpriced(row):
    """The rule of client and server: a failed call without usage costs
    nothing that is not known."""
    return row["effective_cost_usd"] is None


def skip(name, why):
    print(f"SKIP {name}: {why}")
