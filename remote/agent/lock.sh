#!/bin/sh
# usage: lock.sh FOLDER WHO
# Holds a lock for as long as this channel lives: prints "locked" and waits for the end of its
# input, or prints "held WHO" and ends. Numbered files are made and never taken over, so two
# laptops that come at once cannot both win, and a dead holder's number is simply followed.
set -u
umask 077
# shellcheck source=process.sh disable=SC1091
. "${0%/*}/process.sh"
folder=$1; who=$2
if ! mkdir -p -- "$folder" || ! cd -- "$folder"; then echo failed; exit 0; fi
boot=$(boot_id)
number=1
while [ -e "lock.$number" ]; do number=$((number + 1)); done
if [ "$number" -gt 1 ]; then
    read -r pid start its_boot holder <"lock.$((number - 1))"
    if [ "$its_boot" = "$boot" ] && [ "$(start_of "$pid")" = "$start" ]; then
        echo "held $holder"
        exit 0
    fi
fi
(set -C; echo "$$ $(start_of $$) $boot $who" >"lock.$number") 2>/dev/null ||
    { echo "held another laptop"; exit 0; }
echo locked
cat >/dev/null
