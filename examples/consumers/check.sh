#!/bin/bash
# check.sh WAY SOURCE_DIR BUILD_DIR: install the built library below a
# temporary prefix, build one consumer against it and run it.
set -eu
way=$1 source=$2 build=$3
here=$source/examples/consumers
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

cmake --install "$build" --prefix "$prefix" >"$work/install.log"
libdir=$(dirname "$(find "$prefix" -name libllmlab.so | head -n 1)")
export PKG_CONFIG_PATH=$libdir/pkgconfig
export LD_LIBRARY_PATH=$libdir
compiler=${CC:-cc}
strict=(-std=c11 -D_GNU_SOURCE -Wall -Wextra -pedantic -Werror)

# with_cmake FOLDER OPTIONS...
with_cmake() {
    local folder=$1
    shift
    if ! { cmake -S "$here/$folder" -B "$work/build" -G Ninja \
        -DCMAKE_PREFIX_PATH="$prefix" "$@" &&
        ninja -C "$work/build"; } >"$work/cmake.log" 2>&1; then
        cat "$work/cmake.log"
        exit 1
    fi
    cp "$work/build/consumer" "$work/consumer"
}

# read_flags ARGUMENTS...: set flags to what pkg-config answers.
read_flags() {
    read -r -a flags <<<"$(pkg-config "$@")"
}

case $way in
find_package | find_package_static)
    with_cmake "$way"
    ;;
add_subdirectory)
    with_cmake "$way" -DLLMLAB_DIR="$source"
    ;;
pkg_config)
    read_flags --cflags --libs llmlab
    "$compiler" "${strict[@]}" "$here/main.c" -o "$work/consumer" "${flags[@]}"
    ;;
pkg_config_static)
    rm "$libdir"/libllmlab.so*
    read_flags --static --cflags --libs llmlab
    "$compiler" "${strict[@]}" "$here/main.c" -o "$work/consumer" "${flags[@]}"
    ;;
dlopen)
    "$compiler" "${strict[@]}" "$here/dlopen.c" -o "$work/consumer" -ldl
    exec "$work/consumer" "$libdir/libllmlab.so"
    ;;
linked_only)
    read_flags --cflags --libs llmlab
    "$compiler" "${strict[@]}" "$here/linked_only.c" -o "$work/consumer" \
        "${flags[@]}"
    exec "$work/consumer"
    ;;
*)
    echo "check.sh: unknown way $way"
    exit 1
    ;;
esac

case $way in
*static | add_subdirectory) ;;
*)
    # A consumer of the shared library must not have taken the archive.
    ldd "$work/consumer" | grep -q libllmlab.so || {
        echo "$way: not linked with libllmlab.so"
        exit 1
    }
    ;;
esac
"$work/consumer" | tee "$work/out"
grep -q 0.00021 "$work/out" || {
    echo "$way: the call's cost, 0.00021 USD, was not printed"
    exit 1
}
