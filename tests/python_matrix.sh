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

echo "==> mistralai 1 and 2, cohere 5 and 6"
run mistralai-1 python3 mistralai==1.12.4 cohere==5.21.1 -- \
    "$tests/test_mistral.py" "$tests/test_cohere.py"
run mistralai-2 python3 mistralai==2.10.1 cohere==6.1.0 -- \
    "$tests/test_mistral.py" "$tests/test_cohere.py"
echo "==> the first langchain 1, older litellm and openai-agents"
# Alone, that Agents SDK does not tell all tokens.
LITELLM_LOCAL_MODEL_COST_MAP=True run frameworks python3 litellm==1.80.0 \
    langchain==1.0.8 'langchain-openai<1.1' 'langchain-anthropic<1.1' \
    langgraph==1.0.10 langgraph-prebuilt==1.0.8 \
    openai-agents==0.6.0 openai==2.8.1 -- "$tests/frameworks" -k 'not alone'
for minor in 10 11 12 13 14; do
    if ! "python3.$minor" -c '' 2>/dev/null; then
        echo "python3.$minor is not here"
        continue
    fi
    echo "==> python3.$minor"
    run "python3.$minor" "python3.$minor" openai -- \
        --ignore "$tests/test_anthropic.py" --ignore "$tests/test_google.py" \
        --ignore "$tests/test_cohere.py" --ignore "$tests/test_groq.py" \
        --ignore "$tests/test_mistral.py" --ignore "$tests/test_content.py" \
        --ignore "$tests/test_fixtures.py"
done
