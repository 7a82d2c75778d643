#!/bin/sh
# usage: link_identity.sh FOLDER
# Prints the server's own name for itself, made on first sight. It lies on the data disk, so it
# stays when the address changes and goes when the machine is another one.
set -eu
umask 077
mkdir -p -- "$1"
file=$1/.sovdeck-server
if [ ! -s "$file" ]; then
    part=$file.$$
    od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$part"
    # link(2) lets the first of two callers win, and never replaces a name.
    ln "$part" "$file" 2>/dev/null || [ -s "$file" ] || mv -f -- "$part" "$file"
    rm -f -- "$part"
fi
cat -- "$file"
