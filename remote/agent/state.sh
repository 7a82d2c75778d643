#!/bin/sh
# usage: state.sh RUNS_FOLDER [RUN_ID ...]     (no id: every run there)
# Prints one block of "key value" lines for each run; what is missing has no line. The laptop
# derives the state from them (remote/jobs/state.py).
set -u
# shellcheck source=process.sh disable=SC1091
. "${0%/*}/process.sh"
# shellcheck source=run_states.sh disable=SC1091
. "${0%/*}/run_states.sh"
runs=$1; shift
print_machine "$runs"
if ! cd -- "$runs" 2>/dev/null; then
    for run in "$@"; do echo "run $run"; echo "missing yes"; done
    exit 0
fi
if [ "$#" -eq 0 ]; then
    set -- */
    [ -d "$1" ] || exit 0
fi
print_states "$@"
exit 0
