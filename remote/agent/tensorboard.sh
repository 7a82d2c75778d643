#!/bin/sh
# usage: tensorboard.sh PYTHON FOLDER
# Runs TensorBoard over FOLDER on the server's loopback address until our input ends; what it
# says, its address among that, goes to our output. Ends with 3 where there is no TensorBoard.
folder=$2
if "$1" -c 'import tensorboard' 2>/dev/null; then
    set -- "$1" -m tensorboard.main
elif command -v tensorboard >/dev/null 2>&1; then
    set -- tensorboard
else
    exit 3
fi
exec 3<&0
"$@" --logdir "$folder" --host 127.0.0.1 --port 0 2>&1 3<&- &
child=$!
# Our input ends with the connection, however that ends.
{ cat <&3; kill "$child"; } >/dev/null 2>&1 &
wait "$child"
