#!/bin/sh
# usage: keep_control.sh WORK set SECONDS | off | status
# Writes what keep.sh goes by on this server, takes it back, or prints it with what it removed.
set -u
umask 077
folder=$1/keep
case $2 in
    set) mkdir -p -- "$folder" && echo "resume_states $3" >"$folder/policy.part" &&
        mv -f -- "$folder/policy.part" "$folder/policy" && echo ok ;;
    off) rm -f -- "$folder/policy" && echo ok ;;
    status) [ -r "$folder/policy" ] && sed 's/^/policy /' "$folder/policy"
        [ -r "$folder/history" ] && tail -n 5 "$folder/history" | sed 's/^/removed /'
        echo ok ;;
esac
