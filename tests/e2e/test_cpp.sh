#!/bin/bash
# llmlab.hpp compiled by both compilers, pedantic, and run.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! compgen -G "$LLMLAB_BUILD_DIR/lib/libllmlab.so" >/dev/null; then
    echo "SKIP test_cpp: there is no libllmlab.so"
    exit 77
fi
# The shared library of a sanitized build wants the same flags of its users.
flags=()
sanitize=$(sed -n 's/^LLMLAB_SANITIZE:STRING=//p' \
    "$LLMLAB_BUILD_DIR/CMakeCache.txt")
[ -z "$sanitize" ] || flags+=("-fsanitize=$sanitize")
tried=0
for compiler in g++ clang++; do
    command -v "$compiler" >/dev/null || continue
    [ -z "$sanitize" ] || [ "$compiler" = clang++ ] || continue
    tried=$((tried + 1))
    "$compiler" -std=c++17 -O1 -g -Wall -Wextra -Wconversion -Wshadow \
        -pedantic -Werror "${flags[@]}" -I"$LLMLAB_SOURCE_DIR/include" \
        "$LLMLAB_SOURCE_DIR/tests/e2e/cpp/raii.cpp" -o "$work/raii" \
        -L"$LLMLAB_BUILD_DIR/lib" -Wl,-rpath,"$LLMLAB_BUILD_DIR/lib" \
        -lllmlab -pthread || exit 1
    echo "$compiler:"
    "$work/raii" || exit 1
done
[ $tried -gt 0 ] || {
    echo "SKIP test_cpp: no C++ compiler"
    exit 77
}
