"""examples/python/server.py, by uvicorn, against the fake provider."""

import json
import os
import pathlib
import subprocess
import sys
import urllib.request

import pytest

from test_servers import Program, free_port

EXAMPLES = pathlib.Path(__file__).parents[4] / "examples" / "python"


def test_server(provider, tmp_path):
    port = free_port()
    out = tmp_path / "out.jsonl"
    with Program(
            [sys.executable, "-m", "uvicorn", "--app-dir", EXAMPLES,
             "--port", str(port), "server:app"], tmp_path,
            {**os.environ, "LLMLAB_EXPORTER": "file",
             "LLMLAB_EXPORTER_FILE": str(out), "OPENAI_API_KEY": "x",
             "OPENAI_BASE_URL": provider.url + "/v1"}) as program:
        program.wait_for(port)
        for path in ("/health", "/rooms/1/ask?q=Hello"):
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}{path}", headers={"X-User": "anna"})
            with urllib.request.urlopen(request, timeout=20) as reply:
                text = reply.read().decode()
        program.stop()
    assert "Rain \u2614 over Bergen" in text, program.log.read_text()
    call, root = [step for line in out.read_text().splitlines()
                  for trace in json.loads(line)["traces"]
                  for step in trace["steps"]]
    assert root["name"] == "GET /rooms/{room}/ask"
    assert root["status"] == call["status"] == "success"
    assert (root["user"], call["user"]) == ("anna", "anna")
    assert (root["session"], call["session"]) == ("room 1", "room 1")
    assert call["parent_id"] == root["span_id"]
    assert (call["cost"], call["stream"]) == ("0.0001512", True)


@pytest.mark.long
def test_it_is_typed(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path,
         EXAMPLES / "server.py"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
