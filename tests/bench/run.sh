#!/bin/sh
# run.sh BUILD_DIR [--compare] ...: what ./dev bench runs; see run.py.
exec python3 "$(dirname "$0")/run.py" "$@"
