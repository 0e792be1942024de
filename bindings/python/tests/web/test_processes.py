"""Programs of many processes, against a real llmlab-server: nothing is lost,
nothing comes twice."""

import subprocess
import sys

import pytest

WORK = """
import concurrent.futures, multiprocessing, sys, time
import llmlab
from llmlab import span, trace

def work(number):
    with trace("work") as run:
        with span("step", kind="tool"):
            pass
        return run.trace_id

def start(method):
    llmlab.init()
    work(-1)  # a thread of ours runs before anything is forked
    return multiprocessing.get_context(method)
"""

MODELS = {
    "processes": """
    children = [context.Process(target=work, args=(i,)) for i in range(4)]
    for child in children: child.start()
    for child in children: child.join()
    expected = 4
""",
    "pool, closed": """
    pool = context.Pool(2)
    told += pool.map(work, range(20))
    pool.close()
    pool.join()
    expected = 20
""",
    "pool, as all write it": """
    with context.Pool(2) as pool:
        told += pool.map(work, range(20))
    expected = 20
""",
    "short-lived workers": """
    with context.Pool(2, maxtasksperchild=3) as pool:
        told += pool.map(work, range(12), chunksize=1)
    expected = 12
""",
    "executor": """
    with concurrent.futures.ProcessPoolExecutor(
            2, mp_context=context) as executor:
        told += executor.map(work, range(20))
    expected = 20
""",
    "threads": """
    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        told += executor.map(work, range(50))
    expected = 50
""",
}


def run(stored, tmp_path, model, method):
    path = tmp_path / "program.py"
    path.write_text(WORK + f"""
if __name__ == "__main__":
    context = start("{method}")
    told = []
{MODELS[model]}
    print(expected, *told)
""")
    done = subprocess.run([sys.executable, path], env=stored.env, timeout=60,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected, *told = done.stdout.split()
    expected = 2 * (int(expected) + 1)
    assert stored.spans(expected) == expected, done.stderr
    traces = {id: n for id, n in stored.traces.items() if n != 1}  # the heir
    assert set(traces.values()) == {2}
    assert set(told) <= set(traces)
    assert 2 * len(traces) == expected


@pytest.mark.parametrize("model", MODELS)
def test_fork(stored, tmp_path, model):
    run(stored, tmp_path, model, "fork")


@pytest.mark.long
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_start_methods(stored, tmp_path, model, method):
    run(stored, tmp_path, model, method)
