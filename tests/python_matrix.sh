#!/bin/bash
# The wheel that tests/python.sh built, with older SDKs and in each CPython
# that is installed here (3.10 and newer). Long: a part of ./dev test --all.
set -eu
source=${LLMLAB_SOURCE_DIR:-$(cd "$(dirname "$0")/.." && pwd)}
build=${LLMLAB_BUILD_DIR:-$source/build}/python
tests=$source/bindings/python/tests
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
export LLMLAB_SOURCE_DIR=$source

tag=$(python3 -c 'import sys; print("py%d%d" % sys.version_info[:2])')
export LLMLAB_WHEEL_DIR=$build/$tag/wheel
if [ ! -e "$build/$tag/venv/stamp" ]; then
    echo "SKIP python_matrix: tests/python.sh did not build the package"
    exit 77
fi
cd "$source/bindings/python"

echo "==> README.md alone, in an empty environment"
"$build/$tag/venv/bin/python" -m pytest -q -p no:cacheprovider -m long \
    "$tests/test_readme.py"

# run NAME INTERPRETER REQUIREMENT... -- PYTEST_ARGUMENT...
run() {
    local venv=$build/matrix/$1 interpreter=$2 requirements=()
    shift 2
    while [ "$1" != -- ]; do
        requirements+=("$1")
        shift
    done
    shift
    [ -e "$venv/bin/python" ] || "$interpreter" -m venv "$venv"
    "$venv/bin/pip" install -q pytest pytest-asyncio "${requirements[@]}"
    "$venv/bin/pip" install -q --force-reinstall --no-deps \
        "$LLMLAB_WHEEL_DIR"/llmlab-*.whl
    "$venv/bin/python" -m pytest -q -p no:cacheprovider -m 'not long' "$@"
}

for version in 1.109.1 2.52.1; do
    echo "==> openai $version"
    run "openai-$version" python3 "openai==$version" -- "$tests/test_openai.py"
done
for minor in 10 11 12 13 14; do
    if ! "python3.$minor" -c '' 2>/dev/null; then
        echo "python3.$minor is not here"
        continue
    fi
    echo "==> python3.$minor"
    run "python3.$minor" "python3.$minor" openai -- \
        --ignore "$tests/test_anthropic.py" --ignore "$tests/test_google.py"
done
