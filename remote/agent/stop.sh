#!/bin/sh
# usage: stop.sh RUN_DIR GRACE_SECONDS
# The command itself gets TERM first and alone, so that it can save with its workers alive; when
# it is gone or the grace is over, what remains of its group gets TERM and then KILL. The last
# line says what happened: "gone" (nothing ran), "ended", "killed" or "alive".
set -u
# shellcheck source=process.sh disable=SC1091
. "${0%/*}/process.sh"
dir=$1; grace=$2
cd -- "$dir" 2>/dev/null || { echo gone; exit 0; }
pid_json=$(cat pid.json 2>/dev/null) || { echo gone; exit 0; }
number() {
    rest=${pid_json#*\""$1"\":}
    echo "${rest%%[!0-9]*}"
}
boot=$(boot_id)
case $pid_json in *"\"boot\":\"$boot\""*) ;; *) echo gone; exit 0 ;; esac

supervisor=$(number pid); supervisor_start=$(number start)
attempt=$(number attempt)
supervised() { [ "$(start_of "$supervisor")" = "$supervisor_start" ]; }
working() { [ "$child" -gt 0 ] && [ "$(start_of "$child")" = "$child_start" ]; }
read_child() { child=$(number child); child_start=$(number child_start); }

# A command that was started this instant is not written down yet, and may have much to save.
read_child
waited=0
while [ "$child" -eq 0 ] && [ ! -e queued ] && [ "$waited" -lt 30 ] && supervised; do
    sleep 0.1
    waited=$((waited + 1))
    pid_json=$(cat pid.json)
    read_child
done

# Who is left: every process the command started carries our mark, also one that left the group.
# The supervisor and its own two children (log writer, beat) do not: they only wait for the end.
mark="SOVDECK_RUN=$(pwd -P)"
# grep narrows the search where it can read past a NUL (busybox's cannot); then the whole entry
# must fit, since the first search may have found a longer path.
# shellcheck disable=SC2154 # proc: see process.sh
marked() {
    if printf 'a\0b' | grep -qF b; then grep -lF "$mark" "$proc"/[0-9]*/environ 2>/dev/null
    else printf '%s\n' "$proc"/[0-9]*/environ; fi
}
members() {
    if [ ! -r "$proc/self/environ" ]; then
        # Without marks only what still descends from the command is known to be ours.
        working || return 0
        ps -A -o pid= -o ppid= | awk -v top="$child" '{ parent[$1] = $2 } END {
            for (pid in parent) {
                at = pid
                while (at in parent && at != top && at != parent[at]) at = parent[at]
                if (at == top) print pid
            }
        }'
        return 0
    fi
    for file in $(marked); do
        if tr '\000' '\n' 2>/dev/null <"$file" | grep -qxF "$mark"; then
            pid=${file#"$proc"/}
            echo "${pid%/environ}"
        fi
    done
}
signal_members() {
    for pid in $(members); do
        [ "${2:-}" = "$pid" ] || kill "-$1" "$pid" 2>/dev/null
    done
}

if ! supervised && ! working && [ -z "$(members)" ]; then echo gone; exit 0; fi
: >stop
if working; then
    kill -TERM "$child" 2>/dev/null
elif supervised; then
    kill -TERM "$supervisor" 2>/dev/null   # still queued: it has nothing to save
fi

waited=0
limit=$((grace * 10))
while working && [ "$waited" -lt "$limit" ]; do
    sleep 0.1
    waited=$((waited + 1))
done

ended=ended
if [ -n "$(members)" ]; then
    working && ended=killed
    signal_members TERM "$child"
    sleep 0.3
    signal_members KILL
fi
# The supervisor writes the end; when it is gone itself, the stopper does.
waited=0
while supervised && [ "$waited" -lt 50 ]; do sleep 0.1; waited=$((waited + 1)); done
if working; then echo alive; exit 0; fi
case $(cat exit.json 2>/dev/null) in
    *"\"attempt\":$attempt,"*) ;;
    *)
        printf '{"attempt":%s,"code":143,"signal":15,"t":%s}\n' "$attempt" "$(date +%s)" \
            >exit.json.part && mv -f exit.json.part exit.json
        ;;
esac
echo "$ended"
