#!/bin/sh
# usage: read_deployed.sh WORK_OR_EMPTY SHA FOLDERS     (FOLDERS: where work folders lie, with ":")
# What an earlier deployment left, in one round trip: "deployed JSON" and "code yes" where this code
# is there already, else "engine VERSION" of the newest that is; or "wiped WORK" where the engine's
# interpreter is gone. Every opening of a server runs it, so an autostop watchdog is told here that
# somebody is active.
set -u
# shellcheck source=find_work.sh disable=SC1091
. "${0%/*}/find_work.sh"
work=$1; sha=$2
[ -n "$work" ] || work=$(find_work "$3")
case $work in "~"*) work=$HOME${work#\~} ;; esac
[ -r "$work/deployed.json" ] || { echo "deployed none"; exit 0; }
# An interpreter that was removed since makes the record worthless.
python=$(sed -n 's/.*"python": "\([^"]*\)".*/\1/p' "$work/deployed.json")
[ -x "$python" ] || { echo "wiped $work"; echo "deployed none"; exit 0; }
[ -r /proc/driver/nvidia/version ] && echo "driver $(head -n 1 /proc/driver/nvidia/version)"
[ -d "$work/autostop" ] && : >"$work/autostop/asked"
if [ -e "$work/code/$sha/.ok" ]; then
  echo "code yes"
else
  # The names of code folders are hexadecimal digits alone.
  # shellcheck disable=SC2012
  newest=$(ls -t "$work"/code/*/.ok 2>/dev/null | head -n 1)
  [ -n "$newest" ] && echo "engine $(sed -n 's/^__version__ = "\([0-9A-Za-z.+]*\)"$/\1/p' "${newest%.ok}sovdeck/engine/__init__.py" 2>/dev/null)"
fi
echo "deployed $(cat "$work/deployed.json")"
