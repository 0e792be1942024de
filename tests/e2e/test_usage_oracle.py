"""Every reply, read by the command and by an independent reader: the project's
own fixtures always, real replies where they are at hand."""
import os
import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(os.environ["LLMLAB_SOURCE_DIR"])
LLMLAB = pathlib.Path(os.environ["LLMLAB_BUILD_DIR"]) / "bin" / "llmlab"
DATA = SOURCE.parent / "shared" / "data" / "responses"


def compare(folder):
    return subprocess.run(
        [sys.executable, str(SOURCE / "tests/oracle/usage_oracle.py"),
         str(LLMLAB), str(folder)], check=False).returncode


def main():
    failed = compare(SOURCE / "tests/fixtures/replies")
    if (DATA / "index.jsonl").exists():
        failed |= compare(DATA)
    else:
        print("SKIP usage_oracle: ../shared/data is not here")
    return failed


if __name__ == "__main__":
    sys.exit(main())
