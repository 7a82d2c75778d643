#!/bin/sh
# usage: settle.sh WORK PYTHON CODE_FOLDER JSON
# Imports what a run needs, and only when that works writes down that this server is ready. The
# last line is "ok TORCH_VERSION", or "failed" after what Python said.
set -u
umask 077
work=$1; python=$2; code=$3; json=$4
cd -- "$work" || { echo failed; exit 0; }
version=$(PYTHONPATH=$code "$python" -c '
import engine.contract.spec, numpy, torch, torchaudio
print(torch.__version__)' 2>&1 </dev/null) || { echo "$version" | tail -n 3; echo failed; exit 0; }
if ! printf '%s\n' "$json" >"deployed.$$" || ! mv -f "deployed.$$" deployed.json; then
    echo failed
    exit 0
fi
echo "ok $(echo "$version" | tail -n 1)"
