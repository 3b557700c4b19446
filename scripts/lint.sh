#!/bin/sh
# Style, floors and types; quiet where all is well. Runs all three even if one fails.
cd "$(dirname -- "$0")/.." || exit
bin=.venv/bin
status=0

check() {
    if output=$("$@" 2>&1); then
        echo "ok      ${1##*/}"
    else
        printf '%s\nFAILED  %s\n' "$output" "${1##*/}"
        status=1
    fi
}

check $bin/ruff check --quiet .
check $bin/lint-imports
check $bin/mypy
exit $status
