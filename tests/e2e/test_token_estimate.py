"""The estimate of tokens, where recorded replies are at hand."""
import os
import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(os.environ["LLMLAB_SOURCE_DIR"])
LLMLAB = pathlib.Path(os.environ["LLMLAB_BUILD_DIR"]) / "bin" / "llmlab"
DATA = SOURCE.parent / "shared" / "data"


def main():
    if not (DATA / "responses" / "index.jsonl").exists():
        print("SKIP token_estimate: ../shared/data is not here")
        return 0
    return subprocess.run(
        [sys.executable, str(SOURCE / "tests/oracle/token_estimate.py"),
         str(LLMLAB), str(DATA / "responses")], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
