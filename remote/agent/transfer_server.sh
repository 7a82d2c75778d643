# Runs on the server where there is no Python: the protocol of transfer_agent.py.
# sh -c THIS sovdeck COMMAND [ARGUMENT...], with this text in $shell_source too.
staging=.sovdeck-push
# What the shells run that find and xargs start: this very text, so that they have its functions.
# shellcheck disable=SC2016 # the shells that are started expand it
again='eval "$shell_source"'

if command -v openssl >/dev/null 2>&1; then
  hash='openssl dgst -sha256 -r'
elif command -v sha256sum >/dev/null 2>&1; then
  hash=sha256sum
else
  hash='shasum -a 256'
fi

# shellcheck disable=SC2086 # the command and its arguments are several words
sha() { $hash | cut -c1-64; }

size_of() { wc -c <"$1" | tr -d ' '; }

mtime_of() { stat -c %Y -- "$1" 2>/dev/null || stat -f %m -- "$1" 2>/dev/null || date -r "$1" +%s; }

say_file() { printf 'file %s %s\n' "$(size_of "$1")" "$(mtime_of "$1")"; }

facts_of() { if [ -f "$1" ]; then echo "$(sha <"$1") $(size_of "$1")"; else echo '- 0'; fi; }

# say_blocks FILE BLOCK WORD: the digest of every block, one a line.
say_blocks() {
  count=$((($(size_of "$1") + $2 - 1) / $2))
  index=0
  while [ "$index" -lt "$count" ]; do
    part=$(dd if="$1" bs="$2" skip="$index" count=1 2>/dev/null | sha)
    printf '%s %s %s\n' "$3" "$index" "$part"
    index=$((index + 1))
  done
}

matches() { [ -f "$1" ] && [ "$(size_of "$1")" = "$2" ] && [ "$(sha <"$1")" = "$3" ]; }

# split FOLDER LINE: sets hex, size and path; the path may hold spaces anywhere.
split() {
  hex=${2%% *}
  rest=${2#* }
  size=${rest%% *}
  path=${rest#* }
  case $hex in *=*)
    name=${hex#*=} hex=${hex%%=*}
    [ ! -f "$1/$staging/$name" ] || mv -f -- "$1/$staging/$name" "$1/$staging/$hex" ;;
  esac
}

identity() {
  [ -e "$1" ] || { echo "$1: No such file or directory" >&2; exit 3; }
  [ -f "$1" ] || { echo "$1: no ordinary file" >&2; exit 4; }
  say_file "$1" || exit 1
}

digest() {
  identity "$2"
  [ "$1" = 0 ] || say_blocks "$2" "$1" block
  whole=$(sha <"$2") || exit 1
  printf 'whole %s\n' "$whole"
  say_file "$2"
}

# begin FOLDER: -C makes a file only where there is none, so that one push alone begins it.
begin() {
  mkdir -p -- "$1/$staging" || exit 1
  found=$(ls -A -- "$1/$staging")
  number=0
  while IFS= read -r line; do
    split "$1" "$line"
    if [ -z "$found" ] && { [ ! -f "$1/$path" ] || [ "$(size_of "$1/$path")" != "$size" ]; } &&
      (set -C && : >"$1/$staging/$hex") 2>/dev/null; then
      echo "begun $number"
    fi
    number=$((number + 1))
  done
  echo "end $number"
}

have() {
  mkdir -p -- "$2/$staging" || exit 1
  number=0
  present=0
  while IFS= read -r line; do
    split "$2" "$line"
    if matches "$2/$path" "$size" "$hex"; then
      echo "present $number"
      present=$((present + 1))
    elif matches "$2/$staging/$hex" "$size" "$hex"; then
      echo "staged $number"
    elif [ -f "$2/$staging/$hex" ]; then
      say_blocks "$2/$staging/$hex" "$1" "block $number"
    fi
    number=$((number + 1))
  done
  [ "$present" -lt "$number" ] || rmdir -- "$2/$staging" 2>/dev/null
  echo "end $number"
}

# place_one FOLDER: copies, so that another name with the same content finds it too.
place_one() {
  matches "$1/$staging/$hex" "$size" "$hex" || { echo "bad $number"; return; }
  case $path in */*) mkdir -p -- "$1/${path%/*}" || exit 1 ;; esac
  cp -- "$1/$staging/$hex" "$1/$staging/$hex.copy" || exit 1
  mv -f -- "$1/$staging/$hex.copy" "$1/$path" || exit 1
  echo "placed $number"
}

place() {
  number=0
  used=
  while IFS= read -r line; do
    case $line in +*) continue ;; esac # how far a content has come: here it is hashed at the end
    split "$1" "$line"
    place_one "$1"
    used="$used $hex"
    number=$((number + 1))
  done
  for hex in $used; do rm -f -- "$1/$staging/$hex"; done
  rmdir -- "$1/$staging" 2>/dev/null
  echo "end $number"
}

# take FOLDER: tar may stop at its end mark; the rest is read too, so that the sender meets no closed pipe.
take() {
  cd -- "$1/$staging" || exit 3
  tar -xof -
  code=$?
  cat >/dev/null
  exit "$code"
}

keep() {
  mkdir -p -- "$1/$staging" || exit 1
  exec dd of="$1/$staging/$2" ibs=65536 obs=65536 seek="$(($3 / 65536))" conv=notrunc 2>/dev/null
}

# names FOLDER PART...
names() {
  cd -- "$1" || exit 3
  shift
  for part do
    [ -e "$part" ] || continue
    find "$part" -name "$staging" ! -path "$staging" -prune -o -type f \
      -exec sh -c "$again" sovdeck say_names {} + || exit 1
  done
  printf 'end\0'
}

say_names() {
  for path do printf '%s %s %s\0' "$(size_of "$path")" "$(mtime_of "$path")" "${path#./}"; done
}

sums() { cd -- "$1" || exit 3; xargs -0 sh -c "$again" sovdeck say_sums; }

say_sums() {
  for path do printf '%s %s\0' "$(facts_of "$path")" "$path"; done
}

send() { cd -- "$1" || exit 3; xargs -0 sh -c "$again" sovdeck say_files; }

say_files() {
  for path do
    facts_of "$path"
    [ ! -f "$path" ] || cat -- "$path"
  done
}

command=$1
shift
"$command" "$@"
