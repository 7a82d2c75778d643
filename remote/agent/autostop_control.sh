#!/bin/sh
# usage: autostop_control.sh WORK asked|pulled|status|off
# Tells the autostop watchdog on this server that somebody is here ("asked") or that the results
# were pulled and verified ("pulled"), prints what it last decided, or forgets that ("off").
set -u
umask 077
folder=$1/autostop
case $2 in
    asked) [ -d "$folder" ] && : >"$folder/asked"; echo ok ;;
    pulled) mkdir -p -- "$folder" && : >"$folder/pulled" && echo ok ;;
    off) rm -f -- "$folder/status" "$folder/history" "$folder/stop" && echo ok ;;
    status) [ -r "$folder/status" ] && sed 's/^/status /' "$folder/status"
        echo "status current=$(date +%s)"
        [ -r "$folder/stop" ] && sed 's/^/stop /' "$folder/stop"
        [ -r "$folder/history" ] && tail -n 20 "$folder/history" | sed 's/^/history /'
        echo ok ;;
esac
