#!/bin/sh
# usage: ready.sh WORK_OR_EMPTY SHA
# What an earlier deployment left, in one round trip: "deployed JSON" and whether this code is
# there already. Whoever opens a server comes this way, so an autostop watch is told that
# somebody is here.
set -u
work=$1; sha=$2
if [ -z "$work" ] && [ -r "$HOME/.sovdeck-work" ]; then work=$(cat "$HOME/.sovdeck-work"); fi
case $work in "~"*) work=$HOME${work#\~} ;; esac
[ -r "$work/deployed.json" ] || { echo "deployed none"; exit 0; }
# An interpreter that was removed since makes the note worthless.
python=$(sed -n 's/.*"python": "\([^"]*\)".*/\1/p' "$work/deployed.json")
[ -x "$python" ] || { echo "deployed none"; exit 0; }
[ -d "$work/autostop" ] && : >"$work/autostop/asked"
[ -e "$work/code/$sha/.ok" ] && echo "code yes"
echo "deployed $(cat "$work/deployed.json")"
