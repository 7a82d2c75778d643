#!/bin/sh
# usage: supervise.sh DIR [--join FOLDER | --queue FOLDER] -- COMMAND...
#
# --join takes a number in the queue FOLDER and starts at once; --queue waits first until every
# run with a lower number has ended.
#
# Runs COMMAND so that nobody needs to stay: its own session, a beat, a capped log, and a true
# exit written by rename. Start it with setsid and with no open channel on its descriptors.
#
# Where the supervisor of an engine was killed and the engine lives on, that engine is adopted
# instead of a second one being started: watched from here on, its exit taken from its own events.
#
#   DIR/lock.N      one for each attempt; linked into its place, so a second start is refused (98), also
#                   while a command works on whose supervisor was killed
#   DIR/engine.lock held by the command itself, when it is the engine: "PID ATTEMPT", the second as
#                   its events count them
#   DIR/pid.json    who runs: pid, start time and boot id tell a re-used pid from ours
#   DIR/beat        its modification time is the last sign of life, once a second
#   DIR/log.txt     standard output and error; the part before the last rotation is log.1.txt
#   DIR/exit.json   the end: {"attempt","code","signal","t"}
#   DIR/stop        written by whoever asks for the end, so that it counts as stopped
set -u
umask 077
# shellcheck source=process.sh disable=SC1091
. "${0%/*}/process.sh"

LOG_CAP=${SOVDECK_LOG_CAP:-33554432}   # bytes in log.txt before it is rotated
LINE_CAP=16384                         # a longer line is cut: no reader could show it

dir=$1; shift
queue=; wait=
case $1 in
    --queue) queue=$2; wait=1; shift 2 ;;
    --join) queue=$2; shift 2 ;;
esac
[ "$1" = -- ] && shift

mkdir -p -- "$dir" && cd -- "$dir" || exit 97

boot=$(boot_id) || boot=
# alive PID START BOOT: is that very process still there?
alive() {
    [ "$3" = "$boot" ] && [ "$(start_of "$1")" = "$2" ]
}

me=$$
mine=$(start_of $me) || exit 97

# The newest lock tells whether the run still has a supervisor. Locks are never taken over or
# removed, only followed by the next number, so two racing starts cannot both win.
attempt=1; adopted=
while [ -e "lock.$attempt" ]; do attempt=$((attempt + 1)); done
if [ "$attempt" -gt 1 ]; then
    read -r pid start its_boot <"lock.$((attempt - 1))"
    if alive "${pid:-0}" "${start:-0}" "${its_boot:-}"; then exit 98; fi
    # field NAME: a number of pid.json
    field() { sed -n "s/.*\"$1\":\([0-9]*\)[,}].*/\1/p" pid.json 2>/dev/null; }
    child=$(field child); child_start=$(field child_start)
    if [ "${child:-0}" -gt 0 ] && alive "$child" "$child_start" "${its_boot:-}"; then
        [ -e engine.lock ] || exit 98  # no engine: nobody could tell how it ends
        adopted=$child
    fi
fi
# Its supervisor may have died before it wrote the number down, or it never had one. The engine holds
# this lock while it lives (engine/runs/run_lock.py) and writes its number there; where nothing can
# ask for the lock the next engine refuses.
if [ -z "$adopted" ] && [ -e engine.lock ] && command -v flock >/dev/null 2>&1; then
    flock -n engine.lock true 2>/dev/null
    if [ "$?" -eq 1 ]; then
        read -r child its_attempt <engine.lock
        # Adopted only where that number is surely its own: on a disk that several machines share it
        # may be another process here.
        # shellcheck disable=SC2154
        child_start=$(start_of "${child:-0}") &&
            [ "$(cd "$proc/$child/cwd" 2>/dev/null && pwd -P)" = "$(pwd -P)" ] || exit 98
        adopted=$child
    fi
fi
# link(2) makes the lock appear whole or not at all: no other start can read it half written, and
# take it for one whose holder is gone.
echo "$me $mine $boot" 2>/dev/null >"lock.new.$me" || { rm -f "lock.new.$me"; exit 99; }
ln "lock.new.$me" "lock.$attempt" 2>/dev/null && locked=yes || locked=
rm -f "lock.new.$me"
if [ -z "$locked" ]; then
    [ -e "lock.$attempt" ] && exit 98
    exit 99
fi

# A file is written beside its place and renamed, so a reader never sees half of it.
write_atomic() {
    if printf '%s\n' "$2" >"$1.part" 2>/dev/null && mv -f "$1.part" "$1"; then return 0; fi
    rm -f "$1.part"
    return 1
}
write_pid() {
    write_atomic pid.json "{\"attempt\":$attempt,\"pid\":$me,\"start\":$mine,\"boot\":\"$boot\",\"child\":$1,\"child_start\":$2,\"began\":$(date +%s)}"
}
finish() {
    signal=null
    [ "$1" -gt 128 ] && [ "$1" -lt 193 ] && signal=$(($1 - 128))
    exit_line="{\"attempt\":$attempt,\"code\":$1,\"signal\":$signal,\"t\":$(date +%s)}"
    # On a full disk the exit waits until there is space again, an hour at most.
    tries=0
    until write_atomic exit.json "$exit_line" || [ "$tries" -ge 720 ]; do
        : >beat; tries=$((tries + 1)); sleep 5
    done
    exit 0
}

child=$adopted
trap '' HUP
# stop.sh signals the command itself; forwarding is for those who only know the supervisor,
# such as a container being shut down.
signalled=
# shellcheck disable=SC2317
forward_signal() {
    signalled=1
    if [ -z "$child" ]; then finish 143; fi
    if [ ! -e stop ]; then kill -TERM "$child" 2>/dev/null; fi
}
trap forward_signal TERM INT
if [ -n "$child" ]; then
    wait=  # it works already: later ones wait for it, it for none
    write_pid "$child" "$child_start" || exit 99
else
    rm -f stop
    write_pid 0 0 || exit 99
fi

# Waiting is done a second at a time, so that the beat goes on.
if [ -n "$queue" ]; then
    mkdir -p -- "$queue" || finish 97
    # A number appears whole or not at all: link(2) never replaces one.
    echo "$me $mine $boot" >"$queue/new.$me" || finish 97
    ticket=1
    until ln "$queue/new.$me" "$queue/$ticket" 2>/dev/null; do
        [ -e "$queue/$ticket" ] || finish 97
        ticket=$((ticket + 1))
    done
    rm -f "$queue/new.$me"
    ahead=$wait
    while [ "${ahead:-0}" -gt 0 ]; do
        ahead=0; number=1
        while [ "$number" -lt "$ticket" ]; do
            if read -r pid start its_boot 2>/dev/null <"$queue/$number" &&
                alive "${pid:-0}" "${start:-0}" "${its_boot:-}"; then
                ahead=$((ahead + 1))
            fi
            number=$((number + 1))
        done
        echo "$ahead" >queued
        : >beat
        [ "$ahead" -gt 0 ] && sleep 1
    done
    rm -f queued
fi

# A shell cannot wait for a child of another. What the engine says last is its exit code too; one that
# died without a word leaves no exit.json, and so is found to have vanished. Its log and its beat are
# kept by what its first supervisor started for them.
if [ -n "$adopted" ]; then
    exec </dev/null >/dev/null 2>&1
    while alive "$child" "$child_start" "$boot"; do : >beat; sleep 1; done
    read -r its_pid its_attempt 2>/dev/null <engine.lock
    last=$(tail -n 1 events.jsonl 2>/dev/null | head -c 1048576)
    case $last in *'"type": "run_finished"'*) ;; *) exit 0 ;; esac
    # said NAME: a number of the last event
    said() { printf '%s\n' "$last" | sed -n "s/.*\"$1\": \([0-9][0-9]*\)[,}].*/\1/p"; }
    code=$(said exit_code)
    [ "${its_pid:-}" = "$child" ] && [ "${its_attempt:-}" = "$(said attempt)" ] && [ -n "$code" ] &&
        finish "$code"
    exit 0
fi

# mawk reads whole blocks unless told otherwise, which would hold back the last lines.
awk="awk"
case $(awk -W version 2>&1 </dev/null | head -n 1) in mawk*) awk="awk -W interactive" ;; esac
# The log writer must never stop reading: a command whose output is not read is stopped by the kernel.
# When a line cannot be written (disk full) awk ends, and the next awk takes the lines after it.
write_log() {
    trap '' HUP INT TERM
    while :; do
        # shellcheck disable=SC2086,SC2016
        $awk -v cap="$LOG_CAP" -v longest="$LINE_CAP" '
            BEGIN { file = "log.txt"; "wc -c <log.txt 2>/dev/null" | getline size; size += 0 }
            {
                if (length($0) > longest) $0 = substr($0, 1, longest) "..."
                if (size > 0 && size + length($0) >= cap) {
                    close(file); system("mv -f log.txt log.1.txt"); size = 0
                }
                print >>file
                fflush(file)
                size += length($0) + 1
            }' 2>/dev/null && break
    done
}

# Not on the data disk first: network file systems often have no pipes.
pipes=$(TMPDIR=/tmp mktemp -d 2>/dev/null || mktemp -d) || finish 97
mkfifo "$pipes/log" || finish 97
exec </dev/null >/dev/null 2>&1
write_log <"$pipes/log" &
log_writer=$!
exec 4>"$pipes/log"
rm -rf "$pipes"

SOVDECK_RUN=$(pwd -P)
export SOVDECK_RUN
"$@" >&4 2>&1 4>&- &
child=$!
exec 4>&-
child_start=$(start_of "$child") || child_start=0
write_pid "$child" "$child_start"

# The beat is the child's, not the supervisor's: it goes on as long as the work goes on.
(
    trap '' HUP INT TERM
    while [ "$(start_of "$child")" = "$child_start" ]; do : >beat; sleep 1; done
) &

# A trapped signal cuts wait short with a code of its own, so wait is called again; 127 then means
# that the earlier answer was the true one.
code=0
wait "$child" || code=$?
while [ -n "$signalled" ]; do
    signalled=
    again=0
    wait "$child" || again=$?
    [ "$again" -eq 127 ] || code=$again
done

# The log is complete before the end is announced, unless a process left behind keeps it open.
tries=0
while kill -0 "$log_writer" 2>/dev/null && [ "$tries" -lt 20 ]; do tries=$((tries + 1)); sleep 0.1; done
finish "$code"
