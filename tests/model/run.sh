#!/bin/sh
# Prove the models of the lock-free crossing, and that each mutant of them is
# caught: a proof that cannot fail proves nothing. Needs spin and a C compiler.
# Prints what it proved; exit 0 if all of it holds, 77 without spin.
set -u
models=$(cd "$(dirname "$0")" && pwd)
if ! command -v spin >/dev/null; then
    echo "SKIP models: spin is not installed"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# verify MODEL [FLAG]: "proved", "refuted" or the reason why neither.
verify() {
    rm -rf "$work/run" && mkdir "$work/run" && cd "$work/run" || exit 1
    if ! spin -a ${2:+"$2"} "$models/$1.pml" >spin.log 2>&1; then
        echo "spin: $(tail -1 spin.log)"
        return
    fi
    if ! cc -w -O2 -DSAFETY -DMEMLIM=1024 -o pan pan.c 2>cc.log; then
        echo "cc: $(tail -1 cc.log)"
        return
    fi
    timeout 120 ./pan -m1000000 >pan.log 2>&1
    if ! grep -q 'State-vector' pan.log; then
        echo "pan: $(tail -1 pan.log)"
    elif grep -q 'errors: 0' pan.log && ! grep -q 'error: ' pan.log; then
        echo "proved"
    elif grep -qE 'invalid end state|assertion violated' pan.log; then
        echo "refuted"
    else
        echo "pan: $(grep -m1 -E 'error|limit|out of' pan.log)"
    fi
}

for model in park ring; do
    result=$(verify $model)
    states=$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' \
        "$work/run/pan.log" 2>/dev/null)
    echo "$model: $result (${states:-?} states)"
    [ "$result" = proved ] || failed=1
    # shellcheck disable=SC2013 # words, one a line
    for mutant in $(sed -n 's/^#if[n]*def \(MUTANT_[A-Z_]*\).*/\1/p' \
        "$models/$model.pml" | sort -u); do
        result=$(verify $model "-D$mutant")
        echo "  $mutant: $result"
        [ "$result" = refuted ] || failed=1
    done
done
[ $failed -eq 0 ] && echo "models: all proved, all mutants caught"
exit $failed
