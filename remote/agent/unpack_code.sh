#!/bin/sh
# usage: unpack_code.sh CODE_FOLDER SHA DATA_SHA      the archive comes on standard input
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
# A minimal image may lack each of these; the engine's Python is there all the same.
if command -v sha256sum >/dev/null 2>&1; then
    sum=$(sha256sum <"$part.tar.gz")
elif command -v openssl >/dev/null 2>&1; then
    sum=$(openssl dgst -sha256 <"$part.tar.gz" | sed 's/.*= *//')
else
    sum=$(python3 -c 'import hashlib, sys
print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())' <"$part.tar.gz")
fi
[ "${sum%% *}" = "$data_sha" ] || { echo damaged; exit 0; }
if command -v tar >/dev/null 2>&1; then
    tar -xzf "$part.tar.gz" -C "$part" || { echo failed; exit 0; }
else
    python3 -m tarfile -e "$part.tar.gz" "$part" || { echo failed; exit 0; }
fi
chmod -R u+w,go-rwx "$part"
date +%s >"$part/.ok"
# A folder without .ok is what an interrupted unpacking by an older version left: out of the way.
[ -e "$folder/$sha/.ok" ] || rm -rf "${folder:?}/$sha"
mv "$part" "$folder/$sha" 2>/dev/null
if [ -e "$folder/$sha/.ok" ]; then echo ok; else echo failed; fi
