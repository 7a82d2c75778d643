# Runs on the server: sh -c THIS sovdeck PYTHON_SOURCE SHELL_SOURCE VERB [ARGUMENT...]
# Picks the fastest way to hash there: Python's hashlib or openssl (about ten times coreutils).
# Both sources speak the same protocol; nice, so that a training loses nothing to a hash.
python_source=$1 shell_source=$2
shift 2
command -v nice >/dev/null 2>&1 && quiet='nice -n 10' || quiet=
for found in python3 python /opt/conda/bin/python3 "$HOME/miniconda3/bin/python3" ''; do
  [ -n "$found" ] || break
  "$found" -I -S -c 'import sys, hashlib; sys.exit(sys.version_info < (3, 7))' 2>/dev/null && break
done
# shellcheck disable=SC2086 # nice and its arguments are several words
if [ -n "$found" ]; then
  exec $quiet "$found" -I -S -c "$python_source" "$@"
else
  exec $quiet sh -c "$shell_source" sovdeck "$@"
fi
