"""Forks, multiprocessing and the end of the interpreter: nothing is lost and
nothing comes twice."""

import json

import pytest

FLOWS = """
import multiprocessing, os, sys
import llmlab
from llmlab import span, trace

def work(i):
    with trace(f"child {i}"):
        with span("step"):
            pass
"""


def steps(path):
    return [dict(step, trace_id=t["trace_id"])
            for line in path.read_text().splitlines()
            for t in json.loads(line)["traces"] for step in t["steps"]]


def test_exit_without_close(run, tmp_path):
    out = tmp_path / "out.jsonl"
    run(FLOWS + "work(1)\n", LLMLAB_EXPORTER="file",
        LLMLAB_EXPORTER_FILE=str(out))
    assert sorted(s["name"] for s in steps(out)) == ["child 1", "step"]


def test_exit_is_bounded(run):
    import time
    began = time.monotonic()
    run(FLOWS + "work(1)\n", LLMLAB_API_KEY="llmlab_sk_x",
        LLMLAB_URL="http://127.0.0.1:9")
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(run, tmp_path, method):
    out = tmp_path / "out.jsonl"
    run(FLOWS + f"""
if __name__ == "__main__":
    context = multiprocessing.get_context("{method}")
    work("parent")
    with trace("around"):
        children = [context.Process(target=work, args=(i,)) for i in range(3)]
        for child in children: child.start()
        for child in children: child.join()
    with context.Pool(2) as pool:
        pool.map(work, range(10, 16))
        pool.close()
        pool.join()
""", LLMLAB_EXPORTER="file", LLMLAB_EXPORTER_FILE=str(out))
    found = steps(out)
    expected = ["child parent", "around"]
    expected += [f"child {i}" for i in (0, 1, 2, *range(10, 16))]
    assert sorted(s["name"] for s in found if s["name"] != "step") == sorted(
        expected)
    assert len({s["span_id"] for s in found}) == len(found)
    if method == "fork":
        around = next(s for s in found if s["name"] == "around")
        for i in range(3):
            child = next(s for s in found if s["name"] == f"child {i}")
            assert child["parent_id"] == around["span_id"]
            assert child["trace_id"] == around["trace_id"]


def test_fork_inside_a_span(run, tmp_path):
    out = tmp_path / "out.jsonl"
    run(FLOWS + """
with trace("around") as around:
    pid = os.fork()
    if pid == 0:
        around.set("k", 1)
        around.end()
        work("forked")
        llmlab.close()
        os._exit(0)
    os.waitpid(pid, 0)
""", LLMLAB_EXPORTER="file", LLMLAB_EXPORTER_FILE=str(out))
    found = steps(out)
    assert sorted(s["name"] for s in found) == ["around", "child forked",
                                                "step"]


@pytest.mark.parametrize("how", ["os.fork", "multiprocessing"])
def test_a_fork_is_for_the_same_user(run, tmp_path, how):
    """As a thread would be: what runs inside a trace is for its user, wherever
    it runs. root=True begins anew."""
    out = tmp_path / "out.jsonl"
    fork = """
    pid = os.fork()
    if pid == 0:
        both()
        if os.fork() == 0:
            with span("grandchild"): pass
            llmlab.close()
            os._exit(0)
        os.wait()
        llmlab.close()
        os._exit(0)
    os.waitpid(pid, 0)
""" if how == "os.fork" else """
    child = multiprocessing.get_context("fork").Process(target=both)
    child.start()
    child.join()
"""
    run(FLOWS + """
def both():
    with span("inner", tags=["c"]):
        with span("below"): pass
    with trace("agent"): pass
    with trace("anew", root=True): pass

with trace("around", user="u1", tags=["a", "b"]) as around:
    around.set_session("s1")
""" + fork, LLMLAB_EXPORTER="file", LLMLAB_EXPORTER_FILE=str(out))
    found = {s["name"]: s for s in steps(out)}
    around = found["around"]
    for name in ("inner", "below", "agent", "grandchild"):
        if name == "grandchild" and how != "os.fork":
            continue
        step = found[name]
        assert step["trace_id"] == around["trace_id"]
        assert step["user"] == "u1" and step["session"] == "s1"
        assert step["agent"] == ("agent" if name == "agent" else "around")
        assert step["tags"] == (["a", "b", "c"] if name in ("inner", "below")
                                else ["a", "b"])
    assert "user" not in found["anew"] and "tags" not in found["anew"]
    assert found["anew"]["trace_id"] != around["trace_id"]


def test_fork_warns_of_no_thread(run):
    run(FLOWS + """
llmlab.init(exporter="memory")
pid = os.fork()
if pid == 0:
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
""", options=("-W", "error::DeprecationWarning"))


def test_exit_with_calls_in_flight(run):
    run(FLOWS + """
import threading
def loop():
    while True: work(0)
for _ in range(3): threading.Thread(target=loop, daemon=True).start()
import time; time.sleep(0.2)
""", LLMLAB_EXPORTER="memory")
