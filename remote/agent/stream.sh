#!/bin/sh
# usage: stream.sh PATH OFFSET INODE ROTATED RUN_FOLDER once|follow
# One header line "sovdeck-stream-1 INODE OFFSET", then the bytes of PATH from OFFSET on, as they
# are. The header's offset is 0 where PATH is not the file the reader knew or became shorter.
# ROTATED (may be "") is where the file goes when it is rotated.
# Exit: 0 read to the end (once); 3 the rotated file is read, go on with the new one; 4 the run is
# over, read once more; 5 the file changed under us, ask again.
set -u
path=$1; offset=$2; inode=$3; rotated=$4; run=$5; mode=$6

# The reader keeps our input open for as long as it lives; its end is how a cut is noticed even
# when there is nothing to write.
exec 3<&0
cat <&3 >/dev/null 2>&1 &
reader=$!
# shellcheck disable=SC2317
leave() { kill "$reader" 2>/dev/null; }
trap leave EXIT
trap 'exit 1' HUP INT TERM PIPE
connected() { kill -0 "$reader" 2>/dev/null; }

# identify FILE: sets it_inode and it_size, or fails when there is no such file.
identify() {
    numbers=$(stat -L -c '%i %s' -- "$1" 2>/dev/null || stat -L -f '%i %z' -- "$1" 2>/dev/null) ||
        return 1
    it_inode=${numbers% *}; it_size=${numbers#* }
}
# over: the run's newest attempt has written its end.
over() {
    [ -n "$run" ] || return 1
    read -r now 2>/dev/null <"$run/pid.json" || return 1
    read -r end 2>/dev/null <"$run/exit.json" || return 1
    [ "${now%%,*}" = "${end%%,*}" ]
}

until identify "$path"; do
    connected || exit 1
    if [ "$mode" = once ]; then exit 0; fi
    if over; then exit 4; fi
    sleep 0.5
done
if [ "$inode" != 0 ] && [ "$it_inode" != "$inode" ]; then
    if [ -n "$rotated" ] && identify "$rotated" && [ "$it_inode" = "$inode" ]; then
        echo "sovdeck-stream-1 $inode $offset"
        tail -c "+$((offset + 1))" -- "$rotated"
        exit 3
    fi
    identify "$path" || exit 5
    offset=0
fi
if [ "$it_size" -lt "$offset" ]; then offset=0; fi
inode=$it_inode
echo "sovdeck-stream-1 $inode $offset"
if [ "$mode" = once ]; then
    tail -c "+$((offset + 1))" -- "$path"
    exit 0
fi

# Lines are handed on once a second, not one by one: a laptop that follows many servers is woken by
# each packet. What was opened is read to its end each time, and goes on from there the next.
exec 4<"$path" || exit 5
identify "$path" || exit 5
[ "$it_inode" = "$inode" ] || exit 5  # renamed and made anew in between
size=$it_size
tail -c "+$((offset + 1))" <&4 || exit 1
while connected; do
    sleep 1
    identify "$path" || exit 5
    if [ "$it_inode" != "$inode" ] || [ "$it_size" -lt "$size" ]; then exit 5; fi
    if [ "$it_size" -gt "$size" ]; then cat <&4 || exit 1; fi
    size=$it_size
    if over; then exit 4; fi
done
exit 1
