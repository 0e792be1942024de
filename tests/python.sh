#!/bin/bash
# Test bindings/python as a user gets it: make the sdist, install from it into
# a venv under the build folder, run mypy and pytest there.
# $1, if given, is the interpreter; the rest goes to pytest.
set -eu
source=${LLMLAB_SOURCE_DIR:-$(cd "$(dirname "$0")/.." && pwd)}
interpreter=${1:-python3}
[ $# -eq 0 ] || shift
tag=$("$interpreter" -c 'import sys; print("py%d%d" % sys.version_info[:2])')
build=${LLMLAB_BUILD_DIR:-$source/build}/python/$tag
package=$source/bindings/python
python=$build/venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK=1
# shellcheck source=tests/support/venv.sh
. "$source/tests/support/venv.sh"
mkdir -p "$build"

if ! make_venv "$build/venv" "$package/tests/requirements.txt" "$interpreter"
then
    echo "SKIP python: PyPI cannot be reached (or lacks these versions)"
    exit 77
fi

# The sdist is reproducible: the same one needs no new build.
rm -rf "$build/dist"
(cd "$package" && "$python" -c "from scikit_build_core.build import build_sdist
build_sdist('$build/dist')")
stamp=$(sha256sum <"$build/dist"/llmlab-*.tar.gz)
if [ "$stamp" != "$(cat "$build/venv/stamp" 2>/dev/null)" ]; then
    rm -rf "$build/src"
    mkdir "$build/src"
    tar -xmzf "$build/dist"/llmlab-*.tar.gz -C "$build/src" \
        --strip-components=1
    rm -rf "$build/wheel"
    "$python" -m pip wheel -q --no-deps --no-build-isolation \
        -C build-dir="$build/cmake" -w "$build/wheel" "$build/src"
    "$python" -m pip install -q --no-deps --force-reinstall \
        "$build"/wheel/llmlab-*.whl
    printf '%s\n' "$stamp" >"$build/venv/stamp"
fi

cd "$package"
export LLMLAB_SOURCE_DIR=$source PYTHONDONTWRITEBYTECODE=1
export LLMLAB_WHEEL_DIR=$build/wheel
"$python" -m mypy --config-file "$package/pyproject.toml" \
    --cache-dir "$build/mypy" \
    --exclude server.py src/llmlab "$source/examples/python"
exec "$python" -m pytest -v -p no:cacheprovider -m 'not long' "$@"
