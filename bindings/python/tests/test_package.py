"""What is installed is whole."""

import importlib.metadata
import pathlib
import subprocess

import llmlab
from conftest import SOURCE
from llmlab import _llmlab_native


def test_version():
    assert importlib.metadata.version("llmlab") == llmlab.__version__
    header = (SOURCE / "include/llmlab/version.h").read_text()
    for word, number in zip(("MAJOR", "MINOR", "PATCH"),
                            llmlab.__version__.split(".")):
        assert f"#define LLMLAB_VERSION_{word} {number}" in header


def test_one_binary_for_all_pythons():
    path = pathlib.Path(_llmlab_native.__file__)
    assert path.name == "_llmlab_native.abi3.so"
    wheel = importlib.metadata.distribution("llmlab").read_text("WHEEL")
    assert "Tag: cp310-abi3-linux" in wheel
    flags = subprocess.run(["readelf", "-d", path], capture_output=True,
                           text=True, check=True).stdout
    assert "NODELETE" in flags
    symbols = subprocess.run(["nm", "-D", "--defined-only", path],
                             capture_output=True, text=True, check=True).stdout
    assert [line.split()[-1] for line in symbols.splitlines()] == [
        "PyInit__llmlab_native"]


def test_typed():
    assert (pathlib.Path(llmlab.__file__).parent / "py.typed").exists()
    assert all(hasattr(llmlab, name) for name in llmlab.__all__)


# What may be asked of the machine, beside the C library.
LIBRARIES = {"libcurl", "libz", "libsodium", "libcjson"}
LIBC = {"libc", "libm", "libpthread", "ld-linux-x86-64", "ld-linux-aarch64"}


def needed(path):
    told = subprocess.run(["readelf", "-d", path], capture_output=True,
                          text=True, check=True).stdout
    return {line.split("[")[1].split(".so")[0]
            for line in told.splitlines() if "(NEEDED)" in line}


def test_wheel_carries_the_command(clean):
    program = clean / "llmlab"
    assert program.read_bytes()[:4] == b"\x7fELF"
    told = subprocess.run([program, "--version"], capture_output=True,
                          text=True, check=True).stdout
    assert llmlab.__version__ in told
    priced = subprocess.run(
        [program, "cost", "-m", "gpt-4o-mini", "-i", "1200", "-o", "80"],
        capture_output=True, text=True, check=True).stdout
    assert "0.000228" in priced
    for binary in (program, _llmlab_native.__file__):
        assert needed(binary) <= LIBRARIES | LIBC


def test_wheel_carries_the_license(clean):
    found = list(clean.parent.glob("lib/*/site-packages/llmlab-*/**/LICENSE"))
    assert [path.read_text() for path in found] == [
        (SOURCE / "LICENSE").read_text()]
