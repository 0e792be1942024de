"""rooms.py SOURCE_DIR: the house rules that a machine can check. A room
includes only headers of rooms to its left, no file is too long, and nothing
of one machine is in the repository."""

import pathlib
import re
import subprocess
import sys

ROOMS = ["base", "usage", "pricing", "queue", "trace", "delivery", "client",
         "bind"]
SHARED_ROOMS = ["base", "usage", "pricing"]  # what server and cli may see
MAX_LINES = 800
CODE = {".c", ".h", ".hpp", ".py", ".sh", ".cmake", ".i", ".js", ".ts",
        ".mjs", ".go"}
GENERATED = re.compile(r"^bindings/.*(_wrap\.|/generated/)")

# Written so that this file does not find itself.
FOREIGN = [
    (re.compile(r"/(work|home|root|Users)" + r"/[A-Za-z0-9_.]+/"),
     "a path of one machine"),
    (re.compile(r"\bllmlab_sk_" + r"[0-9A-Za-z]{36}\b"), "a whole API key"),
    (re.compile(r"\bsk-" + r"(proj-|ant-)?[A-Za-z0-9_-]{32,}"),
     "a provider's key"),
    (re.compile(r"BEGIN [A-Z ]*PRIVATE" + r" KEY"), "a private key"),
    (re.compile(r"^(<<<<<<<|>>>>>>>) ", re.M), "a merge conflict"),
]
# Keys that tests make up say so.
MADE_UP = re.compile(r"example|fake|test|0000|xxxx", re.I)


def tracked(top):
    listed = subprocess.run(
        ["git", "-C", str(top), "ls-files", "-z", "--cached", "--others",
         "--exclude-standard"], capture_output=True)
    if listed.returncode == 0:
        names = listed.stdout.decode().split("\0")
        return [n for n in names if n and (top / n).is_file()]
    return [str(p.relative_to(top)) for p in top.rglob("*")
            if p.is_file() and not str(p.relative_to(top)).startswith("build")]


def room_faults(name, text):
    parts = pathlib.PurePath(name).parts
    if parts[0] == "src" and len(parts) > 2 and parts[1] in ROOMS:
        allowed = ROOMS[:ROOMS.index(parts[1]) + 1]
    elif parts[0] in ("server", "cli"):
        allowed = SHARED_ROOMS
    else:
        return
    for room in re.findall(r'^#\s*include\s+"(\w+)/', text, re.M):
        if room in ROOMS and room not in allowed:
            yield f"{name}: room {parts[1]} must not include {room}/"


def main():
    top = pathlib.Path(sys.argv[1]).resolve()
    faults, count = [], 0
    for name in tracked(top):
        try:
            text = (top / name).read_text()
        except UnicodeDecodeError:
            continue
        count += 1
        suffix = pathlib.PurePath(name).suffix
        if suffix in (".c", ".h") and name.startswith(("src", "server", "cli")):
            faults += room_faults(name, text)
        lines = text.count("\n")
        if suffix in CODE and lines > MAX_LINES and not GENERATED.match(name):
            faults.append(f"{name}: {lines} lines, above {MAX_LINES}")
        for pattern, what in FOREIGN:
            for found in pattern.finditer(text):
                if not MADE_UP.search(found.group()):
                    line = text.count("\n", 0, found.start()) + 1
                    faults.append(f"{name}:{line}: {what}")
    print("\n".join(faults))
    print(f"{count} files, {len(faults)} faults")
    sys.exit(1 if faults or not count else 0)


main()
