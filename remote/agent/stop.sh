#!/bin/sh
# usage: stop.sh RUN_DIR GRACE_SECONDS
# The command itself gets TERM first and alone, so that it can save with its workers alive; when
# it is gone or the grace is over, what remains of its group gets TERM and then KILL. The last
# line says what happened: "gone" (nothing ran), "ended", "killed" or "alive".
set -u
dir=$1; grace=$2
cd -- "$dir" 2>/dev/null || { echo gone; exit 0; }
pid_json=$(cat pid.json 2>/dev/null) || { echo gone; exit 0; }
number() {
    rest=${pid_json#*\""$1"\":}
    echo "${rest%%[!0-9]*}"
}
start_of() {
    [ -r "/proc/$1/stat" ] || return 0
    read -r stat 2>/dev/null <"/proc/$1/stat" || return 0
    # shellcheck disable=SC2086
    set -- ${stat##*) }
    [ "$1" = Z ] && return 0
    shift 19
    echo "$1"
}
boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)
case $pid_json in *"\"boot\":\"$boot\""*) ;; *) echo gone; exit 0 ;; esac

supervisor=$(number pid); supervisor_start=$(number start)
child=$(number child); child_start=$(number child_start)
attempt=$(number attempt)
supervised() { [ "$(start_of "$supervisor")" = "$supervisor_start" ]; }
working() { [ "$child" -gt 0 ] && [ "$(start_of "$child")" = "$child_start" ]; }

# Who is left: every process the command started carries our mark, also one that left the group.
# The supervisor and its own two children (log pump, beat) do not: they only wait for the end.
mark="SOVDECK_RUN=$(pwd -P)"
# grep narrows the search where it can read past a NUL (busybox's cannot); then the whole entry
# must fit, since the first look may have found a longer path.
marked() {
    if printf 'a\0b' | grep -qF b; then grep -lF "$mark" /proc/[0-9]*/environ 2>/dev/null
    else printf '%s\n' /proc/[0-9]*/environ; fi
}
members() {
    for file in $(marked); do
        if tr '\000' '\n' 2>/dev/null <"$file" | grep -qxF "$mark"; then
            pid=${file#/proc/}
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
