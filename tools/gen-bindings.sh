#!/bin/bash
# tools/gen-bindings.sh [--check]: run SWIG over bindings/swig/llmlab.i and
# write the sources that the bindings compile. They are committed, so only who
# changes the flat layer needs this. --check writes nothing, shows what would
# differ, and fails if anything does.
#
# SWIG's output depends on its version: this one and no other, from PyPI, in a
# venv under build/. Exit status 77: it cannot be had here.
set -eu
cd "$(dirname "$(readlink -f "$0")")/.."
version=4.5.0
venv=build/swig-$version
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

if ! "$venv/bin/swig" -version 2>/dev/null | grep -q "Version $version"; then
    rm -rf "$venv"
    if ! { python3 -m venv "$venv" &&
        "$venv/bin/pip" install -q --disable-pip-version-check \
            "swig==$version"; }; then
        echo "SKIP gen-bindings: swig $version cannot be had from PyPI"
        exit 77
    fi
fi

status=0
# place FOLDER FILE...: put what SWIG made where the binding has it.
place() {
    local folder=$1 file
    shift
    for file; do
        if [ "$check" = yes ]; then
            diff -u "$folder/$file" "$out/$file" | head -n 60 || true
            cmp -s "$folder/$file" "$out/$file" || status=1
        else
            mkdir -p "$folder"
            cp "$out/$file" "$folder/$file"
        fi
    done
}

check=no
[ "${1:-}" != --check ] || check=yes

"$venv/bin/swig" -python -threads -I"src" -Ibindings/swig -outdir "$out" \
    -o "$out/llmlab_wrap.c" bindings/swig/llmlab.i
place bindings/python/generated llmlab_wrap.c

[ "$status" -eq 0 ] || echo "The generated sources are stale: run tools/gen-bindings.sh"
exit "$status"
