#!/bin/sh
# All tests, three at once. Up to three that fail are run once more, alone and in a row; whoever passes then is named as having
# failed beside others, and whoever fails again has failed. docs/decisions/0025-a-second-run-alone.md says why.
set -u
cd "$(dirname "$0")/.."
python=.venv/bin/python
most=3

# Many tests wait for leases and restarts rather than compute, so three at once suit two cores: two processes with a browser
# and one without, as long as there are files for both, in the order of tests/conftest.py: the files that take long first.
"$python" -m pytest tests -n "${TESTS_AT_ONCE:-3}" --dist loadfile --no-loadscope-reorder "$@"
status=$?
[ "$status" -eq 1 ] || exit "$status"

failed="$("$python" -m pytest tests --last-failed --last-failed-no-failures none --collect-only -q 2>/dev/null | grep '::')"
count="$(printf '%s\n' "$failed" | grep -c '::')"
if [ "$count" -eq 0 ] || [ "$count" -gt "$most" ]; then exit 1; fi

printf '\nOnce more, alone:\n%s\n' "$failed"
"$python" -m pytest tests --last-failed --last-failed-no-failures none || exit 1
printf '\nFAILED BESIDE OTHERS, and passed alone. Mend these, or the tests that show it:\n%s\n' "$failed"
