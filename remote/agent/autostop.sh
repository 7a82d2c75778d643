#!/bin/sh
# usage: autostop.sh decide NAME=VALUE ...
#        autostop.sh watch WORK SECONDS DRY NAME=VALUE ... -- COMMAND...
#
# Switches the server off when the policy says so, with nobody connected. The rules are those of
# remote/autostop/policy.py, and a test holds both to one answer. "watch" checks every SECONDS, writes
# WORK/autostop/status, and with DRY=1 only writes what it would do. COMMAND stops the server, keeps
# its disk and returns only when it has given up: then "failed" stands in the status, and it ends.
set -u
umask 077
# shellcheck source=process.sh disable=SC1091
. "${0%/*}/process.sh"
# shellcheck source=run_states.sh disable=SC1091
. "${0%/*}/run_states.sh"

after_success=; after_failure=; idle=; gpu_idle=; gpu_percent=5; at_time=; max_seconds=
only_after_pull=1; pull_deadline=
now=0; began=0; running=0; ended_ok=; ended_badly=; active=; gpu_busy=; pulled=

set_option() {
    case ${1#*=} in *[!0-9]*) echo "autostop: $1 is not a whole number" >&2; exit 2 ;; esac
    case ${1%%=*} in
        after_success|after_failure|idle|gpu_idle|gpu_percent|at_time|max_seconds|only_after_pull|\
        pull_deadline|now|began|running|ended_ok|ended_badly|active|gpu_busy|pulled)
            eval "${1%%=*}=\${1#*=}" ;;
        *) echo "autostop: unknown word $1" >&2; exit 2 ;;
    esac
}

# consider REASON SINCE WAIT CAP: the earliest reason wins; among equals the one considered first.
consider() {
    if [ -z "$2" ] || [ -z "$3" ]; then return; fi
    at=$(($2 + $3))
    if [ "$held" = 1 ] && [ "$4" = 0 ]; then
        [ "$at" -le "$now" ] && waiting=1
        [ -n "$pull_deadline" ] || return
        at=$((at + pull_deadline))
    fi
    if [ -z "$best" ] || [ "$at" -lt "$best" ]; then best=$at; reason=$1; fi
}
# decide: sets stop (0 or 1), reason, best (when) and waiting.
decide() {
    best=; reason=; waiting=0; held=0
    if [ "$only_after_pull" = 1 ] && [ -n "$ended_ok" ]; then
        if [ -z "$pulled" ] || [ "$pulled" -lt "$ended_ok" ]; then held=1; fi
    fi
    consider at_time "$at_time" 0 1
    consider money "$began" "$max_seconds" 1
    if [ "$running" -eq 0 ]; then
        if [ -n "$ended_ok" ] && { [ -z "$ended_badly" ] || [ "$ended_ok" -ge "$ended_badly" ]; }
        then consider success "$ended_ok" "$after_success" 0
        else consider failure "$ended_badly" "$after_failure" 0
        fi
    fi
    consider gpu_idle "$gpu_busy" "$gpu_idle" 0
    [ "$running" -eq 0 ] && consider idle "$active" "$idle" 0
    stop=0
    if [ -n "$best" ] && [ "$best" -le "$now" ]; then stop=1; waiting=0; else reason=; fi
}
print_decision() {
    echo "stop=$stop reason=$reason at=$best waiting=$waiting"
}

if [ "$1" = decide ]; then
    shift
    for word in "$@"; do set_option "$word"; done
    decide
    print_decision
    exit 0
fi

work=$2; every=$3; dry=$4; shift 4
while [ "$1" != -- ]; do set_option "$1"; shift; done
shift
# A person's disk is never thrown away: whatever was configured, these words are refused.
for word in "$@"; do
    case $word in
        *terminate*|*destroy*|*remove*|*delete*|rm|*/rm)
            echo "refused: \"$word\" would not keep the disk"; exit 2 ;;
    esac
done
mkdir -p "$work/autostop" && cd "$work/autostop" || exit 3

latest() {
    if [ -z "$1" ] || { [ -n "$2" ] && [ "$2" -gt "$1" ]; }; then echo "$2"; else echo "$1"; fi
}

# What the runs come to of which print_states told: the newest end of each sort, and the names of those
# that have none (they were lost). What is at work says nothing of its ends.
# shellcheck disable=SC2016
read_ends='
function latest(kind, time) { if (time + 0 > newest[kind] + 0) newest[kind] = time }
function value(name) {
    if (!match($0, "\"" name "\":[0-9]+")) return ""
    return substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 3)
}
function finish() {
    if (!known || run == "autostop" || run == "keep" || index(at_work, " " run " ")) return
    if (time == "") { print "lost " run; return }
    latest("active", time)
    if (run !~ /^install-/) latest(code == "0" ? "ended_ok" : "ended_badly", time)
}
$0 == "alive" { exit }
$1 == "run" { finish(); run = $2; known = 0; time = ""; code = "" }
$1 == "pid" || $1 == "ended" { known = 1 }
$1 == "ended" || $1 == "exit" { time = value("t"); code = value("code") }
END { finish(); for (kind in newest) print kind " " newest[kind] }'

# What ended is read once: later looks are at what changed since, and at what is at work.
alive=
read_activity() {
    now=$(date +%s); running=0
    if cd -- "$work/runs" 2>/dev/null; then
        look
        set -f; old_ifs=$IFS
        IFS='
'
        # shellcheck disable=SC2086,SC2154
        set -- $changed $alive
        IFS=$old_ifs; set +f
        # In a variable: the disk may be full.
        states=$(print_states "$@"; printf '\nalive%s\n' "$alive")
        alive=${states##*
alive}
        cd -- "$work/autostop" || exit 3
        for run in $alive; do
            case $run in autostop|keep) ;; *) running=$((running + 1)); active=$now ;; esac
        done
        ends=$(printf '%s\n' "$states" |
            awk -v at_work=" $(echo "$alive" | tr '\n' ' ') " "$read_ends")
        while read -r kind value; do
            case $kind in
                active) active=$(latest "$active" "$value") ;;
                ended_ok) ended_ok=$(latest "$ended_ok" "$value") ;;
                ended_badly) ended_badly=$(latest "$ended_badly" "$value") ;;
                lost)
                    # It has no exit; it ended when its last beat came.
                    when=$(changed "$work/runs/$value/beat")
                    active=$(latest "$active" "$when")
                    case $value in
                        install-*) ;;
                        *) ended_badly=$(latest "$ended_badly" "$when") ;;
                    esac ;;
            esac
        done <<END
$ends
END
    fi
    [ -e pulled ] && pulled=$(changed pulled)
    [ -e asked ] && active=$(latest "$active" "$(changed asked)")
    [ -n "$gpu_idle" ] && read_gpu
    :
}

# Asked in the background and read at the next check: with a broken driver it may never answer,
# and then no second one is started.
asking=
read_gpu() {
    if [ -n "$asking" ]; then
        kill -0 "$asking" 2>/dev/null && return
        while read -r share; do
            case $share in ''|*[!0-9]*) continue ;; esac
            # The first value starts the clock; before it nothing is known.
            [ -n "$gpu_busy" ] || gpu_busy=$now
            [ "$share" -gt "$gpu_percent" ] && gpu_busy=$now
        done <gpu
    fi
    nvidia-smi --query-gpu=utilization.gpu --format=csv,noheader,nounits >gpu 2>/dev/null </dev/null &
    asking=$!
}

began=$(date +%s); active=$began
begin_looks "$work/autostop/look.a" "$work/autostop/look.b"
while :; do
    read_activity
    decide
    { print_decision; echo "now=$now running=$running dry=$dry"; } >status.part && mv -f status.part status
    if [ "$stop" = 1 ]; then
        echo "$(date +%s) $reason: ${dry:+dry=$dry }$*" >>history
        if [ "$dry" = 1 ]; then sleep "$every"; continue; fi
        # Whatever still runs may save first.
        for dir in "$work"/runs/*/; do
            case $dir in "$work/runs/autostop/"|"$work/runs/keep/") continue ;; esac
            sh "${0%/*}/stop.sh" "$dir" 120 >/dev/null
        done
        sync
        "$@"
        code=$?
        echo "$(date +%s) given up: the stop command ended with $code, the server still runs" >>history
        { print_decision; echo "now=$(date +%s) running=0 dry=0 failed=$code"; } >status.part
        mv -f status.part status
        exit 1
    fi
    sleep "$every"
done
