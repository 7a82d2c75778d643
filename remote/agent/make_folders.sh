#!/bin/sh
# usage: make_folders.sh WORK FOLDER...     (FOLDERs are made below WORK)
# Makes the work folder and gives the server its own id, by which a moved server and a re-used
# address are told apart. The last line is "ok ID" or "failed".
set -u
umask 077
work=$1; shift
if ! mkdir -p -- "$work" || ! cd -- "$work"; then echo failed; exit 0; fi
for folder in runs code data logs packs pretrained "$@"; do
    mkdir -p -- "$folder" || { echo failed; exit 0; }
done
if [ ! -s server-id ]; then
    id=$(cat /proc/sys/kernel/random/uuid 2>/dev/null || uuidgen) || { echo failed; exit 0; }
    echo "$id" >"server-id.$$" && ln "server-id.$$" server-id 2>/dev/null
    rm -f "server-id.$$"
fi
pwd >"$HOME/.sovdeck-work.$$" && mv -f "$HOME/.sovdeck-work.$$" "$HOME/.sovdeck-work"
echo "ok $(cat server-id)"
