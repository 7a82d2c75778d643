#!/bin/sh
# usage: autostop_control.sh WORK asked|status|off
#        autostop_control.sh WORK pulled VOICE VERSION
# Tells the autostop watchdog on this server that somebody is here ("asked") or that the results
# were pulled and verified ("pulled"), prints what it last decided, or forgets that ("off").
# VERSION is the pack's, SIZE-SECONDS: while the pack is still that one, keep.sh may go by it.
set -u
umask 077
folder=$1/autostop
case $2 in
    asked) [ -d "$folder" ] && : >"$folder/asked"; echo ok ;;
    pulled) mkdir -p -- "$folder" && : >"$folder/pulled" && echo ok
        pack=$1/packs/$3.zip; home=$1/keep/home
        version=$(stat -c %s-%Y "$pack" 2>/dev/null || stat -f %z-%m "$pack" 2>/dev/null)
        # The time of the pack, not of now: what was saved since is not in it.
        if [ "$version" = "$4" ] && mkdir -p -- "$home"; then
            : >"$home/.new" && touch -r "$pack" "$home/.new" && mv -f -- "$home/.new" "$home/$3"
        fi ;;
    off) rm -f -- "$folder/status" "$folder/history" "$folder/stop" && echo ok ;;
    status) [ -r "$folder/status" ] && sed 's/^/status /' "$folder/status"
        echo "status current=$(date +%s)"
        [ -r "$folder/stop" ] && sed 's/^/stop /' "$folder/stop"
        [ -r "$folder/history" ] && tail -n 20 "$folder/history" | sed 's/^/history /'
        echo ok ;;
esac
