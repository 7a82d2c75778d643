#!/bin/sh
# usage: lock.sh FOLDER WHO
# Holds a lock for as long as this channel lives: prints "locked" and waits for the end of its
# input, or prints "held WHO" and ends. Numbered files are made and never taken over, so two
# laptops that come at once cannot both win, and a dead holder's number is simply followed.
set -u
umask 077
folder=$1; who=$2
if ! mkdir -p -- "$folder" || ! cd -- "$folder"; then echo failed; exit 0; fi
boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)
started() {
    read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
    # shellcheck disable=SC2086
    set -- ${stat##*) }
    [ "$1" = Z ] && return 1
    shift 19
    echo "$1"
}
number=1
while [ -e "lock.$number" ]; do number=$((number + 1)); done
if [ "$number" -gt 1 ]; then
    read -r pid start its_boot holder <"lock.$((number - 1))"
    if [ "$its_boot" = "$boot" ] && [ "$(started "$pid")" = "$start" ]; then
        echo "held $holder"
        exit 0
    fi
fi
(set -C; echo "$$ $(started $$) $boot $who" >"lock.$number") 2>/dev/null ||
    { echo "held another laptop"; exit 0; }
echo locked
cat >/dev/null
