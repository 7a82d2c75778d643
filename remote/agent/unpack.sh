#!/bin/sh
# usage: unpack.sh CODE_FOLDER SHA DATA_SHA      the archive comes on standard input
# Unpacks beside the final place and renames: code/SHA is whole or absent. The last line is
# "ok", "damaged" (it did not arrive as it was sent), or "failed".
set -u
umask 077
folder=$1; sha=$2; data_sha=$3
part=$folder/.part.$$
trap 'rm -rf "$part" "$part.tar.gz"' EXIT
mkdir -p -- "$part" || { echo failed; exit 0; }
cat >"$part.tar.gz" || { echo failed; exit 0; }
if [ -e "$folder/$sha/.ok" ]; then echo ok; exit 0; fi
if command -v sha256sum >/dev/null 2>&1; then
    sum=$(sha256sum <"$part.tar.gz")
else
    sum=$(openssl dgst -sha256 <"$part.tar.gz" | sed 's/.*= *//')
fi
[ "${sum%% *}" = "$data_sha" ] || { echo damaged; exit 0; }
tar -xzf "$part.tar.gz" -C "$part" || { echo failed; exit 0; }
chmod -R u+w,go-rwx "$part"
date +%s >"$part/.ok"
# A folder without .ok is what an interrupted unpacking by an older way left: out of the way.
[ -e "$folder/$sha/.ok" ] || rm -rf "${folder:?}/$sha"
mv "$part" "$folder/$sha" 2>/dev/null
if [ -e "$folder/$sha/.ok" ]; then echo ok; else echo failed; fi
