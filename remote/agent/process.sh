#!/bin/sh
# Sourced by the scripts that ask about processes: what tells this one from a later one with the
# same number. From /proc where there is one, else (macOS) from ps and sysctl.
proc=${SOVDECK_PROC:-/proc}   # set elsewhere, it is as if there were none

boot_id() {
    cat "$proc/sys/kernel/random/boot_id" 2>/dev/null || sysctl -n kern.bootsessionuuid 2>/dev/null
}
# start_of PID: a number that stands for when it started; fails for a zombie or when it is gone.
start_of() {
    if [ -r "$proc/self/stat" ]; then
        # Field 22, counted after the last ")": a command name may hold spaces and brackets.
        read -r stat 2>/dev/null <"$proc/$1/stat" || return 1
        # shellcheck disable=SC2086
        set -- ${stat##*) }
        [ "$1" = Z ] && return 1
        shift 19
        echo "$1"
    else
        case $(ps -o stat= -p "$1" 2>/dev/null) in ''|Z*) return 1 ;; esac
        LC_ALL=C TZ=UTC ps -o lstart= -p "$1" | cksum | cut -d ' ' -f 1
    fi
}
# changed FILE: when it last changed, in Unix seconds.
changed() { stat -c %Y "$1" 2>/dev/null || stat -f %m "$1" 2>/dev/null; }
