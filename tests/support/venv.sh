# shellcheck shell=bash
# make_venv FOLDER REQUIREMENTS [INTERPRETER]: the environment in FOLDER, made
# anew when the pins change. False: PyPI cannot be reached, or lacks them.
make_venv() {
    cmp -s "$2" "$1/requirements.txt" && return
    rm -rf "$1"
    "${3:-python3}" -m venv "$1" &&
        PIP_DISABLE_PIP_VERSION_CHECK=1 "$1/bin/pip" install -q -r "$2" &&
        cp "$2" "$1/requirements.txt"
}
