#!/bin/sh
# usage: remove_items.sh WORK [RUN ...]     paths below WORK on standard input, one a line
# Removes them, unless a run is at work that is not among the RUNs: it was started meanwhile, and
# nobody looked at what it needs. Prints "busy RUN" then, else "removed PATH" or "failed PATH".
set -u
# shellcheck source=process.sh disable=SC1091
. "${0%/*}/process.sh"
# shellcheck source=run_states.sh disable=SC1091
. "${0%/*}/run_states.sh"
work=$1; shift
cd -- "$work/runs" || exit 1
alive=
known=" $* "
set -- */
[ -d "$1" ] && print_states "$@" >/dev/null
for run in $alive; do
    case $known in *" $run "*) ;; *) echo "busy $run"; exit 0 ;; esac
done
cd -- "$work" || exit 1
while IFS= read -r path; do
    case /$path/ in */../*|//*) echo "failed $path"; continue ;; esac
    if rm -rf -- "$path" 2>/dev/null && [ ! -e "$path" ]; then echo "removed $path"
    else echo "failed $path"; fi
done
exit 0
