"""The examples run, against the fake provider, by the console exporter."""

import subprocess
import sys
import os

import pytest

from conftest import SOURCE

EXPECTED = {
    "agent": ["Rain \u2614 over Bergen", "tool_call weather", "agent ask",
              "total  2 calls  $0.0003024"],
    "stream": ["Rain \u2614 over Bergen", "agent tell",
               "total  1 calls  $0.0001512"],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_example(name, provider):
    done = subprocess.run(
        [sys.executable, SOURCE / f"examples/python/{name}.py"],
        env={**os.environ, "LLMLAB_EXPORTER": "console", "OPENAI_API_KEY": "x",
             "OPENAI_BASE_URL": provider.url + "/v1"},
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    for line in EXPECTED[name]:
        assert line in done.stdout
    assert done.stderr == ""


def test_all_are_run():
    names = {p.stem for p in (SOURCE / "examples/python").glob("*.py")}
    assert names == {*EXPECTED, "server"}  # web/test_example.py
