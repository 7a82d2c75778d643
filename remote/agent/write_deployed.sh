#!/bin/sh
# usage: write_deployed.sh WORK JSON
# Writes down that this server is ready, whole or not at all. The last line is "ok" or "failed".
set -u
umask 077
work=$1; json=$2
cd -- "$work" && printf '%s\n' "$json" >"deployed.$$" && mv -f "deployed.$$" deployed.json &&
    { echo ok; exit 0; }
rm -f "deployed.$$"
echo failed
