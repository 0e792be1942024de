#!/bin/bash
# The wheel that tests/python.sh built, with agent frameworks and LiteLLM, in
# an environment of their own: LiteLLM wants an older openai than the newest.
set -eu
source=${LLMLAB_SOURCE_DIR:-$(cd "$(dirname "$0")/.." && pwd)}
tests=$source/bindings/python/tests
tag=$(python3 -c 'import sys; print("py%d%d" % sys.version_info[:2])')
build=${LLMLAB_BUILD_DIR:-$source/build}/python/$tag
venv=$build/frameworks
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
export LLMLAB_SOURCE_DIR=$source LITELLM_LOCAL_MODEL_COST_MAP=True
# shellcheck source=tests/support/venv.sh
. "$source/tests/support/venv.sh"

if [ ! -e "$build/venv/stamp" ]; then
    echo "SKIP python_frameworks: tests/python.sh did not build the package"
    exit 77
fi
if ! make_venv "$venv" "$tests/frameworks/requirements.txt"; then
    echo "SKIP python_frameworks: PyPI cannot be reached (or lacks these" \
        "versions)"
    exit 77
fi
"$venv/bin/pip" install -q --no-deps --force-reinstall \
    "$build"/wheel/llmlab-*.whl
cd "$source/bindings/python"
exec "$venv/bin/python" -m pytest -v -p no:cacheprovider \
    "$tests/frameworks" "$@"
