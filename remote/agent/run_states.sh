#!/bin/sh
# Sourced by the scripts that tell how runs stand, after process.sh, in the folder of the runs.

boot=$(boot_id)
# print_machine RUNS_FOLDER: the boot, and the id of the disk the runs lie on.
print_machine() {
    echo "boot $boot"
    [ -r "$1/../server-id" ] && read -r id <"$1/../server-id" && echo "server $id"
    return 0
}

# begin_looks FILE FILE: two marks for `look`. The clock that stamps the folders stamps the marks too,
# since they lie on the same disk, unless it takes no more files.
begin_looks() {
    new=$1; old=$2; looks=0
    { true >"$old" && true >"$new"; } 2>/dev/null && return
    new=$(mktemp) && old=$(mktemp)
}
# look: sets $changed to the runs to read now, one a line: first all, then those whose folder
# changed. A run without a process changes only together with its folder, so however many old ones
# lie there, a look costs one find. The marks take turns, so that each look goes back over the one
# before, and the second look is at all runs again: some finds compare whole seconds, and no change
# may fall into the second of a mark.
# shellcheck disable=SC2034
look() {
    looks=$((looks + 1))
    if [ "$looks" -le 2 ]; then changed=$(for run in */; do [ -d "$run" ] && echo "$run"; done)
    else changed=$(find . ! -name . -prune -type d -newer "$old"); fi
    if [ "$looks" -gt 1 ]; then
        mark=$old; old=$new; new=$mark
        true >"$new"
    fi
}

# number NAME JSON: one whole number out of our own one-line json.
number() {
    rest=${2#*\""$1"\":}
    [ "$rest" = "$2" ] && return 0
    rest=${rest%%[!0-9]*}
    echo "$rest"
}

# Most runs on a server ended long ago, and one process reads them all: what has an exit.json of its
# newest attempt is printed, the names of the others go to the fourth descriptor.
# shellcheck disable=SC2016
read_ended='
{
    sub("/$", ""); sub("^[.]/", "")
    if ($0 == "" || seen[$0]++) next
    pid = ""; end = ""
    getline pid <($0 "/pid.json"); close($0 "/pid.json")
    getline end <($0 "/exit.json"); close($0 "/exit.json")
    split(pid, newest, ","); split(end, ended, ",")
    if (pid == "" || end == "" || newest[1] != ended[1]) { print | "cat 1>&4"; next }
    print "run " $0
    if ((getline line <($0 "/stop")) >= 0) { print "stop yes"; close($0 "/stop") }
    print "ended " end
}'

# print_states RUN...: one block of "key value" lines for each; what is missing has no line.
# Afterwards $alive holds the runs, one a line, that have a process, which may change at any moment;
# all others change only together with their folder.
print_states() {
    [ "$#" -gt 0 ] || { alive=; return 0; }
    echo "now $(date +%s)"
    {
        others=$(printf '%s\n' "$@" | awk "$read_ended" 4>&1 1>&5)
    } 5>&1
    alive=
    set -f; old_ifs=$IFS
    IFS='
'
    for run in $others; do
        IFS=$old_ifs
        print_state
    done
    IFS=$old_ifs; set +f
}

# print_state: of $run, which has not ended, as far as its files say.
print_state() {
    echo "run $run"
    [ -d "$run" ] || { echo "missing yes"; return; }
    pid_json=
    [ -e "$run/pid.json" ] && read -r pid_json <"$run/pid.json"
    if [ -n "$pid_json" ]; then
        echo "pid $pid_json"
        case $pid_json in
            *"\"boot\":\"$boot\""*)
                its_start=$(start_of "$(number pid "$pid_json")")
                echo "supervisor_start $its_start"
                child=$(number child "$pid_json")
                if [ "${child:-0}" -gt 0 ]; then
                    child_start=$(start_of "$child")
                    echo "child_start $child_start"
                fi
                [ -n "$its_start${child_start:-}" ] && alive="$alive
$run"
                child_start=
                [ -e "$run/beat" ] && echo "beat $(changed "$run/beat")"
                ;;
        esac
    fi
    [ -e "$run/stop" ] && echo "stop yes"
    [ -e "$run/queued" ] && echo "queued $(cat "$run/queued")"
    [ -e "$run/exit.json" ] && echo "exit $(cat "$run/exit.json")"
    [ -e "$run/events.jsonl" ] && echo "last $(tail -n 1 "$run/events.jsonl" | head -c 65536)"
}
