"""Servers and task queues that fork, against a real llmlab-server: nothing is
lost, nothing comes twice."""

import concurrent.futures
import re
import signal
import socket
import subprocess
import sys
import pathlib
import time
import urllib.request

import pytest

BIN = pathlib.Path(sys.executable).parent
REQUESTS = 60

APPLICATION = """
import flask, llmlab, os
from llmlab import current_span, span, trace
from llmlab.wsgi import trace_flask

llmlab.init()
with trace("at import"):  # a thread of ours runs before anything is forked
    pass
open(f"imported-{os.getpid()}", "w").close()
app = flask.Flask(__name__)
trace_flask(app)

@app.get("/work/<int:number>")
def work(number):
    with span("step", kind="tool"):
        pass
    return current_span().trace_id
"""

TASKS = """
import celery, llmlab, sys
from llmlab import span, trace

app = celery.Celery("tasks", broker="filesystem://", backend="file://results")
app.conf.broker_transport_options = {
    "data_folder_in": "queue", "data_folder_out": "queue",
    "control_folder": "control"}
llmlab.init()
with trace("at import"):
    pass

@app.task
def work(number):
    with trace("work") as run:
        with span("step", kind="tool"):
            pass
        return run.trace_id
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ask(port, number):
    with urllib.request.urlopen(
            f"http://127.0.0.1:{port}/work/{number}", timeout=20) as reply:
        return reply.read().decode()


class Program:
    """A program in a folder, until the block is left."""

    def __init__(self, command, folder, env):
        self.log = folder / "log"
        self.command, self.folder, self.env = command, folder, env

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, env=self.env, stdout=log,
                stderr=log)
        return self

    def wait_for(self, port):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                return socket.create_connection(
                    ("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(30)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def check(stored, told, imports, log):
    """Each trace that was told is there with both its spans, and no more."""
    text = log.read_text()
    expected = 2 * len(told) + imports
    assert len(set(told)) == len(told), text
    assert stored.spans(expected) == expected, text
    traces = stored.traces
    assert {id: traces.get(id) for id in told} == dict.fromkeys(told, 2), text
    # Python tells who forks while other threads run.
    assert "DeprecationWarning" not in text


def serve(stored, folder, command, port, imports, ready=0):
    (folder / "application.py").write_text(APPLICATION)
    with Program(command, folder, stored.env) as program:
        program.wait_for(port)
        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            told = list(threads.map(lambda i: ask(port, i), range(REQUESTS)))
        # A worker that is still importing is no case of ours.
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and (
                len(list(folder.glob("imported-*"))) < imports or
                program.log.read_text().count(" ready in ") < ready):
            time.sleep(0.05)
        # An answer is there before its span has ended, and uWSGI kills.
        time.sleep(0.5)
        program.stop()
    check(stored, told, imports, program.log)


@pytest.mark.parametrize("workers", [
    ("sync", "--workers=2"),
    ("gthread", "--workers=2", "--threads=4"),
    pytest.param(("sync", "--workers=2", "--max-requests=7"),
                 marks=pytest.mark.long)])
def test_gunicorn_preload(stored, tmp_path, workers):
    port = free_port()
    kind, *options = workers
    serve(stored, tmp_path, [
        BIN / "gunicorn", "--preload", f"--worker-class={kind}", *options,
        f"--bind=127.0.0.1:{port}", "application:app"], port, 1)


@pytest.mark.long
def test_gunicorn(stored, tmp_path):
    port = free_port()
    serve(stored, tmp_path, [
        BIN / "gunicorn", "--workers=2", f"--bind=127.0.0.1:{port}",
        "application:app"], port, 2)


@pytest.mark.parametrize("options,imports", [
    ((), 1),
    (("--enable-threads", "--threads=4"), 1),
    pytest.param(("--lazy-apps",), 2, marks=pytest.mark.long)])
def test_uwsgi(stored, tmp_path, options, imports):
    if not (BIN / "uwsgi").exists():
        pytest.skip("uwsgi is not here")
    port = free_port()
    serve(stored, tmp_path, [
        BIN / "uwsgi", f"--http-socket=127.0.0.1:{port}", "--master",
        "--processes=2", "--die-on-term", "--module=application:app",
        f"--virtualenv={BIN.parent}", *options], port, imports,
        ready=imports)


@pytest.mark.parametrize("options", [
    (),
    pytest.param(("--max-tasks-per-child=3",), marks=pytest.mark.long)])
def test_celery_prefork(stored, tmp_path, options):
    for name in ("queue", "control", "results"):
        (tmp_path / name).mkdir()
    (tmp_path / "tasks.py").write_text(TASKS)
    with Program([BIN / "celery", "-A", "tasks", "worker", "--pool=prefork",
                  "--concurrency=2", "--without-gossip", "--without-mingle",
                  "--without-heartbeat", *options],
                 tmp_path, stored.env) as program:
        asked = subprocess.run(
            [sys.executable, "-c", "import tasks; told = [tasks.work.delay(i) "
             "for i in range(20)]; print(*[t.get(timeout=50) for t in told])"],
            cwd=tmp_path, env={**stored.env, "LLMLAB_ENABLED": "0"},
            capture_output=True, text=True, timeout=60)
        assert asked.returncode == 0, asked.stderr + program.log.read_text()
        program.stop()
    told = asked.stdout.split()
    assert len(told) == 20 and all(
        re.fullmatch("[0-9a-f]{32}", one) for one in told)
    check(stored, told, 1, program.log)
