#!/bin/sh
# usage: keep.sh apply WORK
#        keep.sh watch WORK SECONDS
#
# Removes resume states as WORK/keep/policy says ("resume_states SECONDS"), with nobody connected:
# once in "apply", else every SECONDS for as long as there is a policy. States go when their voice is
# home, which the laptop notes in WORK/keep/home/VOICE with the time of the pack it verified, and so
# long after the voice's last run had ended well. WORK/keep/history says what went, and when.
#
# They stay while a run of the voice is at work or waits, when one ended otherwise after that pack
# (somebody may resume it), when anything of the voice was saved after it, and when neither the
# pack nor both weights lie here any more: the voice is in two places before its states go.
set -u
umask 077
# shellcheck source=process.sh disable=SC1091
. "${0%/*}/process.sh"
# shellcheck source=run_states.sh disable=SC1091
. "${0%/*}/run_states.sh"
work=$2
cd -- "$work" || exit 3
work=$(pwd -P)

# uses_voice RUN: whether it is a run of $voice; one that does not tell its voice may be. Our own
# services use no resume states.
uses_voice() {
    case $1 in keep|autostop|install-*|audition-*|transcribe-*) return 1 ;; esac
    spec=runs/$1/spec.json
    LC_ALL=C grep -qF "\"voice\": \"$voice\"" "$spec" 2>/dev/null && return 0
    ! LC_ALL=C grep -q '"voice": "[^"]' "$spec" 2>/dev/null
}
# at_work: whether a run of $voice has a process now; it may only wait for its turn.
at_work() {
    runs_alive=$(
        alive=
        cd -- "$work/runs" 2>/dev/null || exit 0
        set -- */
        [ -d "$1" ] && print_states "$@" >/dev/null
        echo "$alive"
    )
    for run in $runs_alive; do
        uses_voice "$run" && return 0
    done
    return 1
}
# last_end: sets $ended to when the last run of $voice that ended after its pack did so; fails when
# one of them did not end well.
last_end() {
    ended=$(changed "$marker")
    for run in $(cd -- runs 2>/dev/null && find . ! -name . -prune -type d -newer "../$marker"); do
        run=${run#./}
        [ -n "$(find "runs/$run/pid.json" "runs/$run/exit.json" "runs/$run/beat" \
            -newer "$marker" 2>/dev/null)" ] || continue
        uses_voice "$run" || continue
        pid_json=; exit_json=
        read -r pid_json 2>/dev/null <"runs/$run/pid.json"
        read -r exit_json 2>/dev/null <"runs/$run/exit.json"
        [ "$(number code "$exit_json")" = 0 ] || return 1
        [ "$(number attempt "$exit_json")" = "$(number attempt "$pid_json")" ] || return 1
        when=$(number t "$exit_json")
        [ "${when:-0}" -gt "$ended" ] && ended=$when
    done
    return 0
}
# is_home: whether what $marker stands for is all there is of $voice, and lies here too.
is_home() {
    set -- logs/"$voice"/states*
    gpt=; sovits=
    for file in GPT_weights*/"$voice"/*.ckpt; do [ -e "$file" ] && gpt=1 && set -- "$@" "$file"; done
    for file in SoVITS_weights*/"$voice"/*.pth; do
        [ -e "$file" ] && sovits=1 && set -- "$@" "$file"
    done
    [ -e "packs/$voice.zip" ] || { [ -n "$gpt" ] && [ -n "$sovits" ]; } || return 1
    later=$(find "$@" -type f -newer "$marker") || return 1
    [ -z "$later" ]
}
# remove_states: set aside first, so that a run that was started this instant finds them again.
remove_states() {
    for states in logs/"$voice"/states*; do
        [ -d "$states" ] || continue
        size=$(du -sk "$states" | cut -f 1)
        aside=${states%/*}/.removed-${states##*/}
        mv -- "$states" "$aside" || continue
        if at_work; then put_back "$aside"; return; fi
        rm -rf -- "$aside" && echo "$(date +%s) $size $voice" >>keep/history
    done
}
put_back() {
    place=${1%/*}/${1##*/.removed-}
    if [ -e "$place" ]; then rm -rf -- "$1"; else mv -- "$1" "$place"; fi
}
apply_policy() {
    for aside in logs/*/.removed-states*; do [ -e "$aside" ] && put_back "$aside"; done
    for marker in keep/home/*; do
        voice=${marker##*/}
        set -- logs/"$voice"/states*
        if [ ! -f "$marker" ] || [ ! -e "$1" ]; then continue; fi
        if ! is_home || ! last_end; then continue; fi
        [ $((ended + seconds)) -le "$(date +%s)" ] || continue
        at_work || remove_states
    done
}

while read -r word seconds 2>/dev/null <keep/policy && [ "$word" = resume_states ]; do
    case $seconds in ''|*[!0-9]*) exit 2 ;; esac
    apply_policy
    [ "$1" = watch ] || exit 0
    sleep "$3"
done
exit 0
