#!/bin/sh
# usage: install.sh FOLDER METHOD BASE KEY WHEELS TORCH_LAYOUT TORCH_ADDRESS BUILD INDEXES -- REQUIREMENT...
# Makes the engine's environment (METHOD: venv, overlay, uv, conda) and installs into it. Runs
# under supervise.sh, so a cut line does not matter; started again, it goes on where it was.
# TORCH_LAYOUT: "index" or "folder", what lies at TORCH_ADDRESS; both may be empty. BUILD: the torch
# that is asked for, written down beside the key. Exit: 0 installed, 3 no environment could be made,
# 4 no index had what was asked, 5 a disk is full (the last line names it).
set -u
umask 077
folder=$1; method=$2; base=$3; key=$4; wheels=$5; torch_layout=$6; torch_address=$7; build=$8
indexes=$9; shift 10
python=$folder/bin/python
PATH=$PATH:$HOME/.local/bin:$HOME/.cargo/bin
uv=$(command -v uv)
[ "$method" = uv ] && uv=$base
# pip 22.3 and newer can install into another environment, seeing all that this one sees.
base_pip_installs() { "$base" -m pip --python "$base" --version >/dev/null 2>&1; }
# fail CODE: a disk that filled up is named, since pip's own words do not tell which one.
fail() {
    for place in "$folder" "${TMPDIR:-/tmp}" "${XDG_CACHE_HOME:-$HOME}"; do
        [ -d "$place" ] || continue
        # shellcheck disable=SC2046
        set -- "$1" $(df -Pk "$place" | tail -n 1 | awk '{print $4, $6}')
        if [ "$#" = 3 ] && [ "$2" -lt 204800 ]; then
            echo "the disk $3 is full ($(($2 / 1024)) MiB left); $place lies on it"
            exit 5
        fi
    done
    exit "$1"
}

if grep -qF "\"key\":\"$key\"" "$folder/.ok" 2>/dev/null && "$python" -c "import sys" 2>/dev/null
then echo "nothing to do"; exit 0; fi
rm -f "$folder/.ok"

# An environment of another kind or a broken one is of no use; packages already in it are.
if ! "$python" -c 'import sys' 2>/dev/null || [ "$(cat "$folder/.method" 2>/dev/null)" != "$method $base" ]; then
    echo "making $folder with $base"
    rm -rf "${folder:?}"
    # Where another program can install, no pip is needed inside: making one takes longest.
    bare=
    case $method in
        venv) [ -n "$uv" ] && bare=--without-pip ;;
        overlay) base_pip_installs && bare=--without-pip ;;
    esac
    # shellcheck disable=SC2086
    case $method in
        venv) "$base" -m venv $bare "$folder" ;;
        overlay) "$base" -m venv $bare --system-site-packages "$folder" ;;
        uv) "$base" venv --quiet --python 3.11 "$folder" ;;
        conda) "$base" create -y -q -p "$folder" python=3.11 pip ;;
        *) echo "unknown method $method"; exit 3 ;;
    esac || fail 3
    # A venv made from a venv sees the packages of the outermost Python, not of its parent.
    if [ "$method" = overlay ]; then
        paths='import sysconfig as s; print(s.get_path("purelib")); print(s.get_path("platlib"))'
        site_packages=$("$python" -c 'import sysconfig as s; print(s.get_path("purelib"))') || exit 3
        "$base" -c "$paths" >"$site_packages/base.pth" || exit 3
    fi
    echo "$method $base" >"$folder/.method"
fi

# install REQUIREMENT...: uv is several times quicker than pip, but it does not see the packages
# that an overlay takes from its base and would install them all again.
quiet="--disable-pip-version-check --no-input --progress-bar off"
# shellcheck disable=SC2086
install() {
    if [ -n "$wheels" ]; then set -- --find-links "$wheels" "$@"; fi
    if [ "$method" = overlay ] && base_pip_installs; then
        "$base" -m pip --python "$python" install $quiet "$@"
    elif [ -n "$uv" ] && [ "$method" != overlay ]; then
        # The index that has a torch need not have the build that is pinned.
        "$uv" pip install --index-strategy unsafe-best-match --python "$python" "$@"
    else
        "$python" -m pip install $quiet "$@"
    fi
}
# An index of torch's is asked beside the others: it may lack a package that torch needs, and the
# pinned version with its "+cu126" exists nowhere else.
install_from_any() {
    # A folder of wheels that holds everything needs no network at all.
    if [ -n "$wheels" ] && install --no-index "$@"; then return 0; fi
    case $torch_layout in
        index) set -- --extra-index-url "$torch_address" "$@" ;;
        folder) set -- --find-links "$torch_address" "$@" ;;
    esac
    for index in $indexes; do
        echo "trying $index"
        if install --index-url "$index" "$@"; then return 0; fi
    done
    [ -z "$indexes" ] && install "$@"
}
# torch first, by itself: gigabytes that need not come again when something else fails.
torch=
for requirement in "$@"; do
    case $requirement in torch=*|torchaudio=*|torch\>*|torchaudio\>*) torch="$torch $requirement" ;; esac
done
if [ -n "$torch_layout" ] && [ -n "$torch" ]; then
    # shellcheck disable=SC2086
    install_from_any $torch || fail 4
    torch_layout=
fi
if [ "$#" -gt 0 ]; then install_from_any "$@" || fail 4; fi
printf '{"key":"%s","method":"%s","base":"%s","build":"%s"}\n' "$key" "$method" "$base" "$build" >"$folder/.ok.part" &&
    mv -f "$folder/.ok.part" "$folder/.ok"
