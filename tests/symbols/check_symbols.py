"""check_symbols.py LIBRARY INCLUDE_DIR [--size]: the shared library exports
exactly what its headers declare, leaks no function of another library, and
stays small."""

import pathlib
import re
import subprocess
import sys
import tempfile

MAX_STRIPPED = 1536 * 1024


def run(*command):
    return subprocess.run(command, check=True, capture_output=True,
                          text=True).stdout


def declared(include):
    names = set()
    for header in include.rglob("*.h"):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
        text = re.sub(r"^#\s*define(.*\\\n)*.*", "", text, flags=re.M)
        for declaration in re.findall(r"LLMLAB_API\b[^;{]*", text):
            found = re.search(r"\b(llmlab_[a-z0-9_]+)\s*\(", declaration)
            if not found:
                sys.exit(f"{header}: cannot read: {declaration}")
            names.add(found.group(1))
    return names


def exported(library):
    names = set()
    for line in run("nm", "-D", "--defined-only", library).splitlines():
        kind, name = line.split()[-2:]
        if kind != "A":  # the version's own name
            names.add(name.split("@")[0])
    return names


def main():
    library, include = sys.argv[1], pathlib.Path(sys.argv[2])
    faults = []

    want, have = declared(include), exported(library)
    faults += [f"declared but not exported: {n}" for n in sorted(want - have)]
    faults += [f"exported but not declared: {n}" for n in sorted(have - want)]

    for line in run("nm", "-D", "--undefined-only", library).splitlines():
        if re.search(r"\bllmlab_", line):
            faults.append(f"undefined: {line.strip()}")

    dynamic = run("readelf", "-d", library)
    if not re.search(r"SONAME.*\[libllmlab\.so\.\d+\]", dynamic):
        faults.append("no SONAME with a version")
    if "NODELETE" not in dynamic:
        faults.append("not marked NODELETE")
    if "TEXTREL" in dynamic:
        faults.append("has text relocations")

    if "--size" in sys.argv:
        with tempfile.TemporaryDirectory() as folder:
            stripped = pathlib.Path(folder, "stripped.so")
            run("strip", "-o", str(stripped), library)
            size = stripped.stat().st_size
        print(f"stripped: {size} bytes, {len(have)} functions")
        if size > MAX_STRIPPED:
            faults.append(f"stripped: {size} bytes, above {MAX_STRIPPED}")

    print("\n".join(faults))
    sys.exit(1 if faults else 0)


main()
