"""A stranger with README.md and nothing else."""

import os
import re
import subprocess
import sys

import pytest

from conftest import SOURCE

README = (SOURCE / "bindings/python/README.md").read_text()


def block(kind, after):
    """The first block of this kind below a heading."""
    text = README[README.index(f"## {after}\n"):]
    return re.search(rf"^```{kind}\n(.*?)^```$", text, re.M | re.S).group(1)


def check_first_cost(python, folder):
    program = folder / "hello.py"
    program.write_text(block("python", "First cost"))
    done = subprocess.run(
        [python, program], cwd=folder, capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)}, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    times = re.compile(r"[0-9.]+ ms")
    assert times.sub("", done.stdout) == times.sub(
        "", block("text", "First cost"))


def test_first_cost(clean, tmp_path):
    check_first_cost(clean / "python", tmp_path)


@pytest.mark.long
def test_install(tmp_path):
    for entry in SOURCE.iterdir():
        if not entry.name.startswith((".", "build")):
            (tmp_path / entry.name).symlink_to(entry)
    commands = block("sh", "Install").splitlines()
    assert commands[0].startswith("apt-get install")
    commands = [line for line in commands
                if not line.startswith(("apt-get", " "))]
    assert commands == ["python3 -m venv .venv", ". .venv/bin/activate",
                        "pip install ./bindings/python"]
    commands[0] = commands[0].replace("python3", sys.executable)
    done = subprocess.run(
        ["bash", "-ec", "\n".join(commands)], cwd=tmp_path,
        capture_output=True, text=True, timeout=500)
    if "Could not find a version" in done.stderr:
        pytest.skip("PyPI cannot be reached")
    assert done.returncode == 0, done.stderr
    check_first_cost(tmp_path / ".venv/bin/python", tmp_path)
    assert subprocess.run([tmp_path / ".venv/bin/llmlab", "--version"],
                          capture_output=True, check=True).stdout
