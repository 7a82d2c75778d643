# Runs on the server: sh -c THIS sovdeck PYTHON_SOURCE SHELL_SOURCE COMMAND [ARGUMENT...]
# Picks the fastest way to hash there: Python's hashlib or openssl (about ten times coreutils).
# Both sources speak the same protocol; nice, so that a training loses nothing to a hash.
python_source=$1 shell_source=$2
shift 2
command -v nice >/dev/null 2>&1 && quiet='nice -n 10' || quiet=
for python in python3 python /opt/conda/bin/python3 "$HOME/miniconda3/bin/python3"; do
  command -v "$python" >/dev/null 2>&1 || continue
  # shellcheck disable=SC2086 # nice and its arguments are several words
  $quiet "$python" -I -S -c "$python_source" "$@"
  code=$?
  # 1: too old to read the source (it has not touched the input); its own failures end with 3 or 4
  [ "$code" -eq 1 ] || exit "$code"
done
export shell_source
# shellcheck disable=SC2086
exec $quiet sh -c "$shell_source" sovdeck "$@"
