#!/bin/sh
# Sourced by the scripts that look for the work folder of an earlier deployment.

# find_work FOLDERS: prints it, or nothing. The home remembers it; where the home was wiped with the
# container, or leads nowhere, it still lies in one of FOLDERS (separated by ":"), or on a disk.
find_work() (
    remembered=$(cat "$HOME/.sovdeck-work" 2>/dev/null)
    if [ -r "$remembered/server-id" ]; then echo "$remembered"; exit; fi
    IFS=:
    for folder in $1; do
        case $folder in "~"*) folder=$HOME${folder#\~} ;; esac
        if [ -r "$folder/server-id" ]; then echo "$folder"; exit; fi
    done
    unset IFS
    # Only local disks: others may hang.
    [ -r /proc/mounts ] && while read -r _ mount kind _; do
        case $kind in ext[234]|xfs|btrfs|zfs|f2fs|bcachefs) ;; *) continue ;; esac
        if [ -r "$mount/sovdeck/server-id" ]; then echo "$mount/sovdeck"; exit; fi
    done </proc/mounts
    echo "$remembered"
)
