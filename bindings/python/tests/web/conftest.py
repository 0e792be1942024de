"""A real llmlab-server for the programs that the tests start."""

import os
import pathlib
import subprocess
import sys

import pytest

# What a killed process left is sent by the next of the same project.
HEIR = """
import llmlab, time
client = llmlab.init()
with llmlab.trace("heir"):
    pass
print(client.flush(20))
time.sleep(1)
client.close(20)
"""


class Stored:
    """What a server has got, by the ids that the programs told."""

    def __init__(self, server, folder):
        self.server = server
        self.env = {**os.environ, **server.env,
                    "XDG_STATE_HOME": str(folder),
                    "LLMLAB_SPOOL_MODE": "auto"}

    def spans(self, expected):
        """How many there are; where some are missing, once a next process
        has been. It has one of its own."""
        found = self.server.total()["spans"]
        if found >= expected:
            return found
        subprocess.run([sys.executable, "-c", HEIR], env=self.env, check=True,
                       timeout=60, stdout=subprocess.DEVNULL)
        return self.server.total()["spans"] - 1

    @property
    def traces(self):
        """Trace id -> how many steps it has."""
        found, cursor = {}, ""
        while cursor is not None:
            page = self.server.get(f"traces?limit=100{cursor}")
            for trace in page["data"]:
                found[trace["trace_id"]] = trace["steps"]
            cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
        return found


@pytest.fixture
def stored(tmp_path_factory):
    build = pathlib.Path(os.environ["LLMLAB_BUILD_DIR"])
    if not (build / "bin" / "llmlab-server").exists():
        pytest.skip("llmlab-server is not built")
    from e2e import Server

    server = Server()
    try:
        yield Stored(server, tmp_path_factory.mktemp("state"))
    finally:
        server.close()
