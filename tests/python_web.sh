#!/bin/bash
# The wheel that tests/python.sh built, in web servers, task queues and
# notebooks, in an environment of their own.
# $1 = long: the slow ones, which ./dev test --all adds; the rest goes to
# pytest.
set -eu
source=${LLMLAB_SOURCE_DIR:-$(cd "$(dirname "$0")/.." && pwd)}
tests=$source/bindings/python/tests
tag=$(python3 -c 'import sys; print("py%d%d" % sys.version_info[:2])')
build=${LLMLAB_BUILD_DIR:-$source/build}/python/$tag
venv=$build/web
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
export LLMLAB_SOURCE_DIR=$source
export LLMLAB_BUILD_DIR=${LLMLAB_BUILD_DIR:-$source/build}
# shellcheck source=tests/support/venv.sh
. "$source/tests/support/venv.sh"

select=(-m 'not long')
if [ "${1:-}" = long ]; then
    select=(-m long)
    shift
fi
if [ ! -e "$build/venv/stamp" ]; then
    echo "SKIP python_web: tests/python.sh did not build the package"
    exit 77
fi
if ! make_venv "$venv" "$tests/web/requirements.txt"; then
    echo "SKIP python_web: PyPI cannot be reached (or lacks these versions)"
    exit 77
fi
# Only its sources are there: it is compiled.
[ -e "$venv/bin/uwsgi" ] || "$venv/bin/pip" install -q uwsgi==2.0.31 ||
    echo "SKIP uwsgi: it does not build here"
"$venv/bin/pip" install -q --no-deps --force-reinstall \
    "$build"/wheel/llmlab-*.whl
cd "$source/bindings/python"
exec "$venv/bin/python" -m pytest -v -p no:cacheprovider "${select[@]}" \
    "$tests/web" "$@"
