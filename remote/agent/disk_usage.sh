#!/bin/sh
# usage: disk_usage.sh WORK
# What lies in the work folder and may be removed: two kinds of lines, "size KIND KIB PATH" and
# "time KIND SECONDS PATH" (Unix seconds), PATH below WORK. Names that end a line are left out.
set -u
cd -- "$1" || exit 1
echo "now $(date +%s)"
newline='
'
# list KIND PATH...: those that are there, some hundred a process.
list() {
    kind=$1; shift
    # shellcheck disable=SC2016
    for path in "$@"; do
        case $path in *"$newline"*) continue ;; esac
        [ -e "$path" ] && printf '%s\0' "$path"
    done | xargs -0 sh -c '
        kind=$1; shift
        [ "$#" -gt 0 ] || exit 0
        du -sk -- "$@" 2>/dev/null | awk -v kind="$kind" -F "\t" "{ print \"size \" kind \" \" \$1 \" \" \$2 }"
        { stat -c "%Y %n" -- "$@" 2>/dev/null || stat -f "%m %N" -- "$@" 2>/dev/null; } |
            awk -v kind="$kind" "{ print \"time \" kind \" \" \$0 }"
    ' sh "$kind"
}
list states logs/*/states*
list features logs/*/3-bert logs/*/4-cnhubert logs/*/7-sv_cn
list packs packs/*.zip
list weights GPT_weights*/* SoVITS_weights*/*
list samples runs/*/samples
list runs runs/*
list takes takes/* auditions/*
list code code/*
list environment env
list caches cache tmp
# A day old: what is younger may still be coming.
find . -mtime +0 \( -name '.sovdeck-push' -o -name '*.part' -o -name '.part.*' -o -name '.*.tmp' \) \
    -prune 2>/dev/null | while IFS= read -r path; do list halves "${path#./}"; done
exit 0
