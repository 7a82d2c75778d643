#!/bin/sh
# usage: install.sh FOLDER METHOD BASE KEY WHEELS TORCH_INDEX INDEXES -- REQUIREMENT...
# Makes the engine's environment (METHOD: venv, overlay, uv, conda) and installs into it. Runs
# under supervise.sh, so a cut line does not matter; started again, it goes on where it was.
# Exit: 0 stands, 3 no environment could be made, 4 no index had what was asked.
set -u
umask 077
folder=$1; method=$2; base=$3; key=$4; wheels=$5; torch_index=$6; indexes=$7; shift 8
python=$folder/bin/python
PATH=$PATH:$HOME/.local/bin:$HOME/.cargo/bin
uv=$(command -v uv)
[ "$method" = uv ] && uv=$base
# pip 22.3 and newer can install into another environment, seeing all that this one sees.
borrows_pip() { "$base" -m pip --python "$base" --version >/dev/null 2>&1; }
if grep -qF "\"key\":\"$key\"" "$folder/.ok" 2>/dev/null; then echo "nothing to do"; exit 0; fi
rm -f "$folder/.ok"

# An environment of another kind or a broken one is of no use; packages already in it are.
if ! "$python" -c 'import sys' 2>/dev/null || [ "$(cat "$folder/.method" 2>/dev/null)" != "$method $base" ]; then
    echo "making $folder with $base"
    rm -rf "${folder:?}"
    # Where another program can install, no pip is needed inside: making one takes longest.
    bare=
    case $method in
        venv) [ -n "$uv" ] && bare=--without-pip ;;
        overlay) borrows_pip && bare=--without-pip ;;
    esac
    # shellcheck disable=SC2086
    case $method in
        venv) "$base" -m venv $bare "$folder" ;;
        overlay) "$base" -m venv $bare --system-site-packages "$folder" ;;
        uv) "$base" venv --quiet --python 3.11 "$folder" ;;
        conda) "$base" create -y -q -p "$folder" python=3.11 pip ;;
        *) echo "unknown method $method"; exit 3 ;;
    esac || exit 3
    # A venv made from a venv sees the packages of the outermost Python, not of its parent.
    if [ "$method" = overlay ]; then
        paths='import sysconfig as s; print(s.get_path("purelib")); print(s.get_path("platlib"))'
        place=$("$python" -c 'import sysconfig as s; print(s.get_path("purelib"))') || exit 3
        "$base" -c "$paths" >"$place/base.pth" || exit 3
    fi
    echo "$method $base" >"$folder/.method"
fi

# install INDEX REQUIREMENT...: uv is several times quicker than pip, but it does not see the
# packages that an overlay takes from its base and would install them all again.
quiet="--disable-pip-version-check --no-input --progress-bar off"
# shellcheck disable=SC2086
install() {
    index=$1; shift
    if [ -n "$index" ]; then set -- --index-url "$index" "$@"; fi
    if [ -n "$wheels" ]; then set -- --find-links "$wheels" "$@"; fi
    if [ "$method" = overlay ] && borrows_pip; then
        "$base" -m pip --python "$python" install $quiet "$@"
    elif [ -n "$uv" ] && [ "$method" != overlay ]; then
        "$uv" pip install --python "$python" "$@"
    else
        "$python" -m pip install $quiet "$@"
    fi
}
anywhere() {
    # A folder of wheels that holds everything needs no network at all.
    if [ -n "$wheels" ] && install "" --no-index "$@"; then return 0; fi
    for index in $indexes; do
        echo "trying $index"
        if install "$index" "$@"; then return 0; fi
    done
    [ -z "$indexes" ] && install "" "$@"
}
if [ -n "$torch_index" ]; then
    torch=
    for requirement in "$@"; do
        case $requirement in torch=*|torchaudio=*|torch\>*|torchaudio\>*) torch="$torch $requirement" ;; esac
    done
    # shellcheck disable=SC2086
    install "$torch_index" $torch || exit 4
fi
if [ "$#" -gt 0 ]; then anywhere "$@" || exit 4; fi
printf '{"key":"%s","method":"%s","base":"%s"}\n' "$key" "$method" "$base" >"$folder/.ok.part" &&
    mv -f "$folder/.ok.part" "$folder/.ok"
