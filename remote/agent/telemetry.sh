#!/bin/sh
# usage: telemetry.sh FIELDS MINIMAL_FIELDS WORK_FOLDER
# Rows of one long-lived nvidia-smi as they come, and between them, once a second, the machine's
# own values on lines that begin with "@". Ends within a second of its reader's going away.
set -u
fields=$1; minimal=$2; work=$3

exec 3<&0
cat <&3 >/dev/null 2>&1 &
reader=$!
smi=
# shellcheck disable=SC2317
stop_children() {
    [ -n "$smi" ] && kill "$smi" 2>/dev/null
    kill "$reader" 2>/dev/null
}
trap stop_children EXIT
trap 'exit 1' HUP INT TERM PIPE

# Where WSL keeps it, it is not on PATH.
PATH=$PATH:/usr/lib/wsl/lib:/usr/local/nvidia/bin
query=$fields
start_smi() {
    if ! command -v nvidia-smi >/dev/null 2>&1; then
        smi=; echo "@smi absent"
        return
    fi
    echo "@fields $query"
    nvidia-smi "--query-gpu=$query" --format=csv,noheader,nounits --loop-ms=1000 </dev/null 2>&1 &
    smi=$!
}
# A driver that fails is queried again, but not every second: each try may cost seconds.
pause=0
restart_smi() {
    if [ -n "$smi" ]; then
        kill -0 "$smi" 2>/dev/null && return
        wait "$smi"; code=$?
        smi=
        echo "@smi ended $code"
        if [ "$code" -eq 2 ] && [ "$query" != "$minimal" ]; then query=$minimal; pause=0
        else pause=15; fi
    fi
    if [ "$pause" -gt 0 ]; then pause=$((pause - 1)); return; fi
    start_smi
    pause=60
}

# read_first_line FILE: its first line, nothing when there is none. No process is started for it.
read_first_line() {
    line=
    [ -r "$1" ] && read -r line 2>/dev/null <"$1"
}
read_memory() {
    total=; free=
    while read -r name value _; do
        case $name in
            MemTotal:) total=$value ;;
            MemAvailable:) free=$value; break ;;
        esac
    done 2>/dev/null </proc/meminfo
    out="$out mem_total_kb=$total mem_available_kb=$free"
    # A rented container's share is its cgroup's, not the host's: version 2, then version 1.
    read_first_line /sys/fs/cgroup/memory.max
    if [ -n "$line" ]; then
        out="$out cgroup_limit=$line"
        read_first_line /sys/fs/cgroup/memory.current; out="$out cgroup_used=$line"
        read_file_cache /sys/fs/cgroup/memory.stat inactive_file
    else
        read_first_line /sys/fs/cgroup/memory/memory.limit_in_bytes; out="$out cgroup_limit=$line"
        read_first_line /sys/fs/cgroup/memory/memory.usage_in_bytes; out="$out cgroup_used=$line"
        read_file_cache /sys/fs/cgroup/memory/memory.stat total_inactive_file
    fi
}
# File cache counts as used in a cgroup, though the kernel gives it up at once.
read_file_cache() {
    [ -r "$1" ] || return 0
    while read -r name value; do
        if [ "$name" = "$2" ]; then out="$out cgroup_cache=$value"; break; fi
    done 2>/dev/null <"$1"
}

ticks=0
start_smi
pause=60
while kill -0 "$reader" 2>/dev/null; do
    out="@sys"
    read_memory
    # busy and idle jiffies since boot; the reader takes differences
    if read -r _ user nice system idle iowait irq softirq steal _ 2>/dev/null </proc/stat; then
        out="$out cpu_busy=$((user + nice + system + irq + softirq + ${steal:-0}))"
        out="$out cpu_idle=$((idle + iowait))"
    fi
    read_first_line /proc/loadavg; out="$out load=${line%% *}"
    if [ $((ticks % 15)) -eq 0 ]; then
        # shellcheck disable=SC2046
        set -- $(df -Pk "$work" 2>/dev/null | tail -n 1)
        out="$out disk_total_kb=${2:-} disk_free_kb=${4:-}"
    fi
    echo "$out" || exit 1
    ticks=$((ticks + 1))
    sleep 1
    restart_smi
done
exit 0
