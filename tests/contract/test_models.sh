#!/bin/sh
# The lock-free crossing is proved by model, and the proof can fail.
# llmlab-test: long timeout=600
exec "$LLMLAB_SOURCE_DIR/tests/model/run.sh"
