#!/bin/sh
# usage: install_key.sh "TYPE BLOB COMMENT" "TYPE BLOB"
# Adds a public key to authorized_keys once. Last line: "added" or "present".
set -eu
umask 077
line=$1; key=$2
mkdir -p -- "$HOME/.ssh"
file=$HOME/.ssh/authorized_keys
if [ -e "$file" ] && grep -qF -- "$key" "$file"; then echo present; exit 0; fi
# A file that lacks its last newline would swallow our line.
if [ -s "$file" ] && [ -n "$(tail -c 1 -- "$file")" ]; then echo >>"$file"; fi
printf '%s\n' "$line" >>"$file"
# sshd ignores the file when others may write to it.
chmod go-w -- "$HOME/.ssh" "$file"
echo added
