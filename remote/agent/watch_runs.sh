#!/bin/sh
# usage: watch_runs.sh RUNS_FOLDER SECONDS
# As state.sh for every run, then every SECONDS for those that changed, each time ended by a line
# "end". A run without a process changes only together with its folder, so however many old ones lie
# there, a look costs one find. Ends within SECONDS of its reader's going away.
set -u
# shellcheck source=process.sh disable=SC1091
. "${0%/*}/process.sh"
# shellcheck source=run_states.sh disable=SC1091
. "${0%/*}/run_states.sh"
runs=$1; seconds=$2

exec 3<&0
cat <&3 >/dev/null 2>&1 &
reader=$!
# The clock that stamps the folders stamps the marks too, since they lie on the same disk, unless it
# takes no more files. Two take turns, so that each look goes back over the one before, and the second
# look is at all runs again: some finds compare whole seconds, and no change may fall into the second
# of a mark.
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
if ! { : >"$old" && : >"$new"; } 2>/dev/null; then
    new=$(mktemp) && old=$(mktemp) || exit 1
fi
all_runs() { for run in */; do [ -d "$run" ] && echo "$run"; done; }
changed=$(all_runs)
alive=; looks=0
while kill -0 "$reader" 2>/dev/null; do
    set -f; old_ifs=$IFS
    IFS='
'
    # shellcheck disable=SC2086
    set -- $changed $alive
    IFS=$old_ifs; set +f
    print_states "$@"
    echo end || exit 1
    sleep "$seconds"
    looks=$((looks + 1))
    if [ "$looks" -eq 1 ]; then changed=$(all_runs)
    else changed=$(find . ! -name . -prune -type d -newer "$old"); fi
    mark=$old; old=$new; new=$mark
    : >"$new"
done
exit 0
