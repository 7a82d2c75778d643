#!/bin/sh
# usage: watchman.sh WORK asked|pulled|status
# Tells the autostop watch on this server that somebody is here ("asked"), that the results were
# pulled and verified ("pulled"), or prints what it last decided.
set -u
umask 077
folder=$1/autostop
case $2 in
    asked|pulled) mkdir -p -- "$folder" && : >"$folder/$2" && echo ok ;;
    status) [ -r "$folder/status" ] && sed 's/^/status /' "$folder/status"
        [ -r "$folder/history" ] && tail -n 20 "$folder/history" | sed 's/^/history /'
        echo ok ;;
esac
