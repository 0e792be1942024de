#!/bin/bash
# check_headers.sh INCLUDE_DIR COMPILER STANDARD: compile each public header
# alone.
set -u
include=$1 compiler=$2 standard=$3

command -v "$compiler" >/dev/null || {
    echo "SKIP header_${compiler}_$standard: $compiler is not installed"
    exit 77
}
case $standard in
c++*) language=c++ headers='*.h*' ;;
*) language=c headers='*.h' ;;
esac

failed=0 count=0
while read -r header; do
    count=$((count + 1))
    # ISO C wants a declaration in every translation unit.
    printf '#include <%s>\ntypedef int check_headers_t;\n' "$header" |
        "$compiler" -x $language "-std=$standard" -pedantic -Wall -Wextra \
            -Werror -fsyntax-only -I "$include" - || {
        echo "FAILED $header"
        failed=1
    }
done < <(cd "$include" && find . -name "$headers" -printf '%P\n' | sort)
echo "$count headers"
[ $count -gt 0 ] && exit $failed
