#!/bin/bash
# run.sh RESULT.xml: build for aarch64 and run the unit tests under qemu-user.
# The libraries come from the system's own apt sources into a folder of the
# build; the system's package database is neither asked nor changed. 77: these
# sources have no arm64.
set -eu
cd "$(dirname "$(readlink -f "$0")")/../.."
result=$PWD/$1
build=$PWD/build-aarch64
root=$build/sysroot
packages=(libc6-dev libcurl4-openssl-dev zlib1g-dev
    libsodium-dev libcjson-dev libcmocka-dev libsqlite3-dev libmicrohttpd-dev)

make_root() (
    set -e
    local apt=$build/apt package
    mkdir -p "$apt"/{lists/partial,cache/archives/partial} "$root"
    : >"$apt/status"
    local options=(
        -o APT::Architecture=arm64 -o APT::Architectures::=arm64
        -o "Dir::State::Lists=$apt/lists" -o "Dir::State::status=$apt/status"
        -o "Dir::Cache=$apt/cache" -o Debug::NoLocking=1
        -o APT::Sandbox::User=root
    )
    apt-get "${options[@]}" -q update
    apt-get "${options[@]}" -q -y --no-install-recommends --download-only \
        install "${packages[@]}"
    for package in "$apt"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$root"
    done
    # Links that are absolute would lead out of the root.
    find "$root" -type l -lname '/*' | while read -r link; do
        ln -sfn "$root$(readlink "$link")" "$link"
    done
    rm -rf "$apt"
    touch "$root/complete"
)

[ -e "$root/complete" ] || make_root || exit 77
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/aarch64-linux-gnu.cmake" \
    -DLLMLAB_SYSROOT="$root" -DLLMLAB_WERROR=ON
ninja -C "$build"
ctest --test-dir "$build" -L unit -LE long -j "$(nproc)" --output-on-failure \
    --timeout 600 --test-output-size-passed 4000000 --output-junit "$result"
