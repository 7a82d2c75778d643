#!/bin/sh
# usage: watch_runs.sh RUNS_FOLDER SECONDS
# As state.sh for every run, then every SECONDS for those that changed, each time ended by a line
# "end". Ends within SECONDS of its reader's going away.
set -u
# shellcheck source=process.sh disable=SC1091
. "${0%/*}/process.sh"
# shellcheck source=run_states.sh disable=SC1091
. "${0%/*}/run_states.sh"
runs=$1; seconds=$2

exec 3<&0
cat <&3 >/dev/null 2>&1 &
reader=$!
new=$runs/../.run-watch.$$.a; old=$runs/../.run-watch.$$.b
# shellcheck disable=SC2317
leave() {
    rm -f "$new" "$old"
    kill "$reader" 2>/dev/null
}
trap leave EXIT
trap 'exit 1' HUP INT TERM PIPE

print_machine "$runs"
until cd -- "$runs" 2>/dev/null; do
    echo end || exit 1
    sleep "$seconds"
    kill -0 "$reader" 2>/dev/null || exit 0
done
find .. ! -name .. -prune -name '.run-watch.*' -mtime +1 -exec rm -f {} +
begin_looks "$new" "$old" || exit 1
alive=
while kill -0 "$reader" 2>/dev/null; do
    look
    set -f; old_ifs=$IFS
    IFS='
'
    # shellcheck disable=SC2086,SC2154
    set -- $changed $alive
    IFS=$old_ifs; set +f
    print_states "$@"
    echo end || exit 1
    sleep "$seconds"
done
exit 0
