#!/bin/sh
# usage: start.sh RUN_DIR SUPERVISOR SPEC_JSON QUEUE_WORDS [NAME=VALUE ...] -- COMMAND...
# Writes the spec, launches the supervisor and waits until it runs. Last line: "started",
# "refused" (it runs already), "differs" (another spec has this run's name), "unwritable" (nothing
# can be written there: most often the disk is full) or "failed CODE".
set -u
umask 077
dir=$1; supervisor=$2; spec=$3; queue=$4; shift 4
[ -e "$supervisor" ] || { echo "failed 96"; exit 0; }
part="$dir/spec.part.$$"
unwritable() { rm -f "$part"; echo "unwritable"; exit 0; }
mkdir -p -- "$dir" || unwritable
# What a start that was killed in the middle left; one that works takes no minute.
find "$dir" -maxdepth 1 -name 'spec.part.*' -mmin +10 -exec rm -f {} + 2>/dev/null

# The spec is written once. link(2) makes it appear whole or not at all, and never replaces one.
if [ -n "$spec" ]; then
    printf '%s\n' "$spec" 2>/dev/null >"$part" || unwritable
    ln "$part" "$dir/spec.json" 2>/dev/null
    [ -e "$dir/spec.json" ] || unwritable
    same=$(cmp "$part" "$dir/spec.json" >/dev/null 2>&1 && echo yes)
    rm -f "$part"
    [ "$same" = yes ] || { echo "differs"; exit 0; }
fi

while [ "$1" != -- ]; do
    export "${1?}"
    shift
done
shift
# QUEUE_WORDS: "--queue FOLDER" or "--join FOLDER" for the supervisor, or nothing.
if [ -n "$queue" ]; then set -- "${queue%% *}" "${queue#* }" -- "$@"; else set -- -- "$@"; fi

# Without setsid (some minimal images) nohup still keeps a hang-up away. Neither forks here, so
# $! is the supervisor itself.
if command -v setsid >/dev/null 2>&1; then
    setsid sh "$supervisor" "$dir" "$@" </dev/null >/dev/null 2>&1 &
else
    nohup sh "$supervisor" "$dir" "$@" </dev/null >/dev/null 2>&1 &
fi
pid=$!
tries=0
while [ "$tries" -lt 200 ]; do
    case $(cat "$dir/pid.json" 2>/dev/null) in
        *"\"pid\":$pid,"*) echo started; exit 0 ;;
    esac
    if ! kill -0 "$pid" 2>/dev/null; then
        wait "$pid"; code=$?
        # It may have come and gone between two checks.
        case $(cat "$dir/pid.json" 2>/dev/null) in *"\"pid\":$pid,"*) code=0 ;; esac
        case $code in
            0) echo started ;;
            98) echo refused ;;
            99) echo unwritable ;;
            *) echo "failed $code" ;;
        esac
        exit 0
    fi
    tries=$((tries + 1)); sleep 0.05
done
echo "failed 124"
