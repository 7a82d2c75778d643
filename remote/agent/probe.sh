#!/bin/sh
# usage: probe.sh WORK PYTHON FOLDERS DISTRIBUTIONS SOURCES FIELDS
# (lists are separated by spaces; FOLDERS by colons). Everything the laptop needs to know about
# this server in one go, as lines "key value". What cannot be found out has no line.
set -u
work=$1; python=$2; folders=$3; distributions=$4; sources=$5; fields=$6
exec 2>/dev/null
PATH=$PATH:/usr/lib/wsl/lib:/usr/local/nvidia/bin:$HOME/.local/bin:$HOME/.cargo/bin:/opt/conda/bin

echo "begin $(date +%s)"
echo "user $(id -un)"
echo "uid $(id -u)"
echo "home $HOME"
echo "system $(uname -s)"
echo "kernel $(uname -r)"
echo "machine $(uname -m)"
[ -r /etc/os-release ] && (
    # shellcheck disable=SC1091
    . /etc/os-release; echo "os ${PRETTY_NAME:-$ID}"
)
libc=$(getconf GNU_LIBC_VERSION) && echo "libc $libc"
echo "boot $(cat /proc/sys/kernel/random/boot_id)"
{ [ -e /.dockerenv ] || [ -e /run/.containerenv ] || grep -qE 'docker|kubepods|lxc' /proc/1/cgroup; } &&
    echo "container yes"
if [ "$(id -u)" = 0 ]; then echo "root yes"
elif sudo -n true </dev/null >/dev/null; then echo "sudo yes"; fi
echo "cpus $(getconf _NPROCESSORS_ONLN)"
while read -r name value _; do
    case $name in MemTotal:) echo "memory_kb $value" ;; MemAvailable:) echo "memory_free_kb $value" ;; esac
done </proc/meminfo
for file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
    [ -r "$file" ] && echo "memory_limit $(cat "$file")" && break
done
for tool in tar setsid sha256sum openssl uv conda curl wget nohup awk; do
    found=$(command -v "$tool") && echo "tool $tool $found"
done
for name in RUNPOD_POD_ID VAST_CONTAINERLABEL CONTAINER_ID AutoDLContainerUUID; do
    eval "value=\${$name:-}"
    # shellcheck disable=SC2154
    [ -n "$value" ] && echo "mark $name"
done
[ -d /root/autodl-tmp ] && echo "mark autodl-tmp"
[ -e /etc/network_turbo ] && echo "mark network_turbo"

# The work folder that an earlier deployment chose, when nobody names one.
if [ -z "$work" ] && [ -r "$HOME/.sovdeck-work" ]; then work=$(cat "$HOME/.sovdeck-work"); fi
IFS=:
for folder in $work $folders; do
    case $folder in "~"*) folder=$HOME${folder#\~} ;; esac
    place=$folder
    while [ ! -d "$place" ] && [ "$place" != / ] && [ -n "$place" ]; do place=$(dirname "$place"); done
    space=$(df -Pk "$place" </dev/null | tail -n 1 | awk '{print $2, $4}')
    inodes=$(df -Pi "$place" </dev/null | tail -n 1 | awk '{print $4}')
    kind=$(stat -f -c %T "$place")
    writes=no; [ -w "$place" ] && writes=yes
    echo "disk ${space:-- -} ${inodes:--} ${kind:--} $writes $folder"
done
unset IFS

if [ -n "$work" ]; then
    case $work in "~"*) work=$HOME${work#\~} ;; esac
    echo "work $work"
    [ -r "$work/server-id" ] && echo "identity $(cat "$work/server-id")"
    for ok in "$work"/code/*/.ok; do
        [ -e "$ok" ] && folder=${ok%/.ok} && echo "code ${folder##*/}"
    done
    [ -r "$work/env/.ok" ] && echo "environment $(cat "$work/env/.ok")"
    for file in "$work"/pretrained/*/; do
        [ -d "$file" ] && file=${file%/} && echo "pretrained ${file##*/}"
    done
fi

# Nothing is imported: torch alone would take seconds. Its version stands in its metadata, the
# CUDA it was built for in torch/version.py.
inspect() {
    "$1" -I - "$1" "$distributions" <<'PYTHON'
import importlib.util, json, os, re, sys, sysconfig
facts = {"path": sys.argv[1], "version": "%d.%d.%d" % sys.version_info[:3], "prefix": sys.prefix,
         "base": sys.base_prefix, "distributions": {},
         "pip": importlib.util.find_spec("pip") is not None,
         "venv": importlib.util.find_spec("ensurepip") is not None,
         "writable": os.access(sysconfig.get_paths()["purelib"], os.W_OK)}
try:
    from importlib import metadata
    for name in sys.argv[2].split():
        try:
            facts["distributions"][name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    torch = importlib.util.find_spec("torch")
    if torch and torch.origin:
        with open(os.path.join(os.path.dirname(torch.origin), "version.py")) as file:
            cuda = re.search(r"^cuda[^=\n]*= *'([0-9.]+)'", file.read(), re.M)
        facts["cuda"] = cuda.group(1) if cuda else None
except ImportError:
    facts["old"] = True
print("python " + json.dumps(facts))
PYTHON
}
seen=" "
for candidate in $python "$work/env/bin/python" python3 python python3.13 python3.12 python3.11 \
    python3.10 /opt/conda/bin/python /root/miniconda3/bin/python "$HOME/miniconda3/bin/python" \
    "$HOME/anaconda3/bin/python" /venv/main/bin/python /opt/venv/bin/python /workspace/venv/bin/python; do
    [ -n "$candidate" ] || continue
    found=$(command -v "$candidate") || continue
    case $seen in *" $found "*) continue ;; esac
    seen="$seen$found "
    inspect "$found"
done

# nvidia-smi prints its errors on standard output, so they come along and are read there.
if command -v nvidia-smi >/dev/null; then
    nvidia-smi "--query-gpu=$fields" --format=csv,noheader,nounits </dev/null | sed 's/^/gpu /'
    nvidia-smi --query-gpu=index,compute_cap --format=csv,noheader,nounits </dev/null | sed 's/^/capability /'
    nvidia-smi </dev/null | head -n 4 | sed 's/^/table /'
    nvidia-smi -L </dev/null | sed 's/^/list /'
    nvidia-smi --query-compute-apps=gpu_uuid,pid,used_memory,process_name \
        --format=csv,noheader,nounits </dev/null | sed 's/^/app /'
else
    echo "gpu nvidia-smi: not found"
fi

# Every source at once, each with its own limit: one that hangs must not hold up the others.
fetch() {
    if command -v curl >/dev/null; then
        figures=$(curl -sSL -o /dev/null -r 0-1048575 --connect-timeout 4 --max-time 8 \
            -w '%{http_code} %{size_download} %{time_total}' "$1" </dev/null)
    elif command -v wget >/dev/null; then
        start=$(date +%s)
        size=$(wget -q -T 4 -t 1 -O - "$1" </dev/null | head -c 1048576 | wc -c)
        figures="$([ "$size" -gt 0 ] && echo 200 || echo 000) $size $(($(date +%s) - start))"
    else
        figures="- - -"
    fi
    echo "source ${figures:-000 0 0} $1"
}
for source in $sources; do fetch "$source" & done
wait
echo "end $(date +%s)"
