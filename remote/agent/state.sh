#!/bin/sh
# usage: state.sh RUNS_FOLDER [RUN_ID ...]     (no id: every run there)
# Prints one block of "key value" lines for each run; what is missing has no line. The laptop
# decides what the figures mean (remote/job_state.py).
set -u
# shellcheck source=process.sh disable=SC1091
. "${0%/*}/process.sh"
runs=$1; shift
echo "now $(date +%s)"
echo "boot $(boot_id)"
if ! cd -- "$runs" 2>/dev/null; then
    for run in "$@"; do echo "run $run"; echo "missing yes"; done
    exit 0
fi
if [ "$#" -eq 0 ]; then
    for dir in */; do
        [ -d "$dir" ] && set -- "$@" "${dir%/}"
    done
fi

# number NAME JSON: one whole number out of our own one-line json.
number() {
    rest=${2#*\""$1"\":}
    [ "$rest" = "$2" ] && return 0
    rest=${rest%%[!0-9]*}
    echo "$rest"
}

for run in "$@"; do
    echo "run $run"
    [ -d "$run" ] || { echo "missing yes"; continue; }
    pid_json=$(cat "$run/pid.json" 2>/dev/null)
    if [ -n "$pid_json" ]; then
        echo "pid $pid_json"
        echo "supervisor_start $(start_of "$(number pid "$pid_json")")"
        child=$(number child "$pid_json")
        [ "${child:-0}" -gt 0 ] && echo "child_start $(start_of "$child")"
    fi
    [ -e "$run/beat" ] && echo "beat $(changed "$run/beat")"
    [ -e "$run/stop" ] && echo "stop yes"
    [ -e "$run/queued" ] && echo "queued $(cat "$run/queued")"
    [ -e "$run/exit.json" ] && echo "exit $(cat "$run/exit.json")"
    [ -e "$run/events.jsonl" ] && echo "last $(tail -n 1 "$run/events.jsonl" | head -c 65536)"
done
exit 0
