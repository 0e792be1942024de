#!/bin/bash
# docs/CONFIGURATION.md is what the table of settings says.
# shellcheck disable=SC2086 # the emulator is a command with arguments, or none
if ! ${LLMLAB_EMULATOR:-} "$LLMLAB_BUILD_DIR/tools/gen_config_docs" |
    diff -u "$LLMLAB_SOURCE_DIR/docs/CONFIGURATION.md" -; then
    echo "docs/CONFIGURATION.md is stale: ninja -C build config-docs"
    exit 1
fi
