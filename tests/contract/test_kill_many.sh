#!/bin/sh
# Promise 6, at length: ten thousand processes that die while they record.
# llmlab-test: long timeout=2400
LLMLAB_KILLS=${LLMLAB_KILLS:-10000} \
    exec python3 "$LLMLAB_SOURCE_DIR/tests/contract/test_kill.py"
