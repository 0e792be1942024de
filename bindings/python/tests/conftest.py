import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

if os.environ.get("LLMLAB_SPAN_BASE") == "python":
    # As where span_base() refuses: all of Span in Python.
    from llmlab import _llmlab_native

    _llmlab_native.span_base = lambda *_: None  # type: ignore[assignment]
    for name in [name for name in sys.modules if name.startswith("llmlab")
                 and not name.endswith("_native")]:
        del sys.modules[name]
    import llmlab

    llmlab._llmlab_native = _llmlab_native

import llmlab
from llmlab import _client
from llmlab.testing import Captured, capture

SOURCE = pathlib.Path(os.environ.get(
    "LLMLAB_SOURCE_DIR", pathlib.Path(__file__).parents[3]))
sys.path.insert(0, str(SOURCE / "tests" / "support"))


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """No client, patch or variable of one test reaches the next."""
    for name in [n for n in os.environ if n.startswith("LLMLAB_")]:
        if name not in ("LLMLAB_SOURCE_DIR", "LLMLAB_BUILD_DIR",
                        "LLMLAB_WHEEL_DIR"):
            del os.environ[name]
    # Nothing of a test in the user's own spool.
    os.environ["LLMLAB_SPOOL_MODE"] = "off"
    yield
    llmlab.uninstrument()
    for client in list(_client._open.values()):
        client.close(1)


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture() as taken:
        yield taken


@pytest.fixture
def run(tmp_path):
    """Run a program in a process of its own; returns what it printed."""
    def run(source: str, *, timeout: float = 60, status: int = 0,
            options: tuple[str, ...] = (), **variables: str):
        path = tmp_path / "program.py"
        path.write_text(source)
        done = subprocess.run(
            [sys.executable, *options, str(path)], cwd=tmp_path,
            env={**os.environ, **variables}, timeout=timeout,
            capture_output=True, text=True)
        assert done.returncode == status, done.stdout + done.stderr
        return done
    return run


@pytest.fixture
def provider():
    from fake_provider import FakeProvider
    with FakeProvider() as fake:
        yield fake


@pytest.fixture(scope="session")
def clean(tmp_path_factory):
    """A venv that has the wheel and nothing else, not even pip."""
    home = tmp_path_factory.mktemp("clean") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home],
                   check=True)
    wheel, = pathlib.Path(os.environ["LLMLAB_WHEEL_DIR"]).glob("llmlab-*.whl")
    subprocess.run([sys.executable, "-m", "pip", "--python",
                    home / "bin/python", "install", "-q", "--no-index",
                    wheel], check=True)
    return home / "bin"
