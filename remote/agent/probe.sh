#!/bin/sh
# usage: probe.sh WORK PYTHON FOLDERS DISTRIBUTIONS SOURCES FIELDS MARKS GPU_LIMIT SCORE
# (lists are separated by spaces; FOLDERS by colons). Everything the laptop needs to know about
# this server in one go, as lines "key value". What cannot be found out has no line. GPU_LIMIT:
# seconds that nvidia-smi has. SCORE: "yes" also times one core.
set -u
work=$1; python=$2; folders=$3; distributions=$4; sources=$5; fields=$6; marks=$7
gpu_limit=$8; score=$9
exec 2>/dev/null
PATH=$PATH:/usr/local/nvidia/bin:$HOME/.local/bin:$HOME/.cargo/bin:/opt/conda/bin

echo "begin $(date +%s)"
scratch=$(mktemp -d || TMPDIR=/dev/shm mktemp -d) || scratch=

# nvidia-smi is asked meanwhile: a stuck one may not hold up the rest. It prints its errors on
# standard output, so they come along and are read on the laptop. Under WSL a second one, of the
# distribution, cannot reach the driver.
stuck_nvidia_smi() {
    for stat in /proc/[0-9]*/stat; do
        read -r pid name state _ <"$stat" && [ "$name$state" = "(nvidia-smi)D" ] && echo "$pid"
    done
}
query() { # FILE ARGUMENT...
    file=$1; shift
    "$smi" "$@" >"$scratch/$file" &
    echo "$!" >"$scratch/pid"
    wait "$!"
}
ask_gpus() {
    # One that the kernel has held for seconds will never answer, and no signal ends it: another
    # one would only be stuck beside it.
    before=$(stuck_nvidia_smi)
    if [ -n "$before" ]; then
        sleep 2
        for pid in $(stuck_nvidia_smi); do
            for earlier in $before; do
                [ "$pid" = "$earlier" ] && : >"$scratch/stuck" && return
            done
        done
    fi
    smi=
    for candidate in /usr/lib/wsl/lib/nvidia-smi nvidia-smi; do
        command -v "$candidate" >/dev/null || continue
        smi=$candidate
        query gpu "--query-gpu=$fields" --format=csv,noheader,nounits && break
    done
    if [ -z "$smi" ]; then
        echo "nvidia-smi: not found" >"$scratch/gpu"
    else
        query capability --query-gpu=index,compute_cap --format=csv,noheader,nounits
        query table
        query list -L
    fi
    : >"$scratch/asked"
}
# It holds nothing of ours open: a shell that is waiting for a stuck program would keep the
# channel from ending.
asker=
if [ -n "$scratch" ]; then
    (exec </dev/null >/dev/null 2>&1; ask_gpus) &
    asker=$!
fi

echo "user $(id -un)"
echo "home $HOME"
echo "shell ${SHELL:-}"
echo "host $(uname -n)"
echo "system $(uname -s)"
echo "kernel $(uname -r)"
echo "machine $(uname -m)"
[ -r /etc/os-release ] && (
    # shellcheck disable=SC1091
    . /etc/os-release; echo "os ${PRETTY_NAME:-$ID}"
)
if libc=$(getconf GNU_LIBC_VERSION); then
    echo "libc $libc"
else
    for loader in /lib/ld-musl-*; do [ -e "$loader" ] && echo "libc musl" && break; done
fi
echo "boot $(cat /proc/sys/kernel/random/boot_id)"
{ [ -e /.dockerenv ] || [ -e /run/.containerenv ] || grep -qE 'docker|kubepods|lxc' /proc/1/cgroup; } &&
    echo "container yes"
[ "$(id -u)" = 0 ] && echo "root yes"
echo "cpus $(getconf _NPROCESSORS_ONLN)"
read -r quota period </sys/fs/cgroup/cpu.max && echo "cpu_quota $quota $period"
sed -n 's/^model name[^:]*: */cpu_model /p' /proc/cpuinfo | head -n 1
while read -r name value _; do
    case $name in MemTotal:) echo "memory_kb $value" ;; esac
done </proc/meminfo
for file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
    [ -r "$file" ] && echo "memory_limit $(cat "$file")" && break
done
for tool in tar setsid sha256sum openssl uv conda curl wget nohup awk; do
    found=$(command -v "$tool") && echo "tool $tool $found"
done

# Providers show their variables to login shells or to the container's first process only. The
# files they stand in also hold keys: nothing but whether a name is set is taken from them.
for name in $marks; do
    eval "value=\${$name:-}"
    # shellcheck disable=SC2154
    if [ -n "$value" ] || tr '\0' '\n' </proc/1/environ | grep -q "^$name=." ||
        grep -qs "^\(export \)\{0,1\}$name=." /etc/rp_environment /etc/profile.d/autodl.env.sh /etc/environment
    then
        echo "mark $name"
    fi
done
[ -d /root/autodl-tmp ] && echo "mark autodl-tmp"
[ -e /etc/network_turbo ] && echo "mark network_turbo"
[ -e /etc/vast_capabilities.json ] && echo "mark vast_capabilities"
[ -d /hy-tmp ] && echo "mark hy-tmp"
[ -x /public/script/matncli ] && echo "mark matncli"
[ -d /home/featurize/work ] && echo "mark featurize"
for place in /lambda/nfs /etc/apt/sources.list.d/lambda*; do
    [ -e "$place" ] && echo "mark lambda" && break
done
[ -d /home/paperspace ] && echo "mark paperspace"
grep -qs '^DigitalOcean' /sys/class/dmi/id/sys_vendor && echo "mark digitalocean"
grep -qsi microsoft /proc/version && echo "mark wsl"
command -v sbatch >/dev/null && echo "mark slurm"

# The work folder that an earlier deployment chose, when nobody names one.
# shellcheck source=find_work.sh disable=SC1091
. "${0%/*}/find_work.sh"
[ -n "$work" ] || work=$(find_work "$folders")
disk() {
    place=$1
    while [ ! -d "$place" ] && [ "$place" != / ] && [ -n "$place" ]; do place=$(dirname "$place"); done
    space=$(df -Pk "$place" </dev/null | tail -n 1 | awk '{print $2, $4, $6}')
    inodes=$(df -Pi "$place" </dev/null | tail -n 1 | awk '{print $4}')
    kind=$(stat -f -c %T "$place")
    writes=no; [ -w "$place" ] && writes=yes
    # shellcheck disable=SC2086
    set -- "$1" ${space:-- - -}
    echo "disk $2 $3 ${inodes:--} ${kind:--} $writes $4 $1"
}
IFS=:
for folder in $work $folders; do
    unset IFS
    named=no; [ "$folder" = "$work" ] && named=yes
    case $folder in "~"*) folder=$HOME${folder#\~} ;; esac
    # A provider's folder counts where the provider made it; the user's own may be made anew.
    if [ "$named" = yes ] || [ -d "$(dirname "$folder")" ]; then disk "$folder"; fi
done
unset IFS
# Local disks that belong to no provider's layout. Others could hang, and are slow for many files.
while read -r _ mount kind _; do
    case $kind in ext[234]|xfs|btrfs|zfs|f2fs|bcachefs) ;; *) continue ;; esac
    case $mount in /|/boot*|/etc/*|/proc*|/sys*|/dev*|/run*|/usr*|/var*|/snap*|/tmp*|*\\*) continue ;; esac
    [ -d "$mount" ] && [ -w "$mount" ] && disk "$mount/sovdeck"
done </proc/mounts

if [ -n "$work" ]; then
    case $work in "~"*) work=$HOME${work#\~} ;; esac
    echo "work $work"
    [ -r "$work/server-id" ] && echo "identity $(cat "$work/server-id")"
    for ok in "$work"/code/*/.ok; do
        [ -e "$ok" ] && folder=${ok%/.ok} && echo "code ${folder##*/}"
    done
    # Its base may have gone with the container's disk.
    [ -x "$work/env/bin/python" ] && [ -r "$work/env/.ok" ] && echo "environment $(cat "$work/env/.ok")"
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
first=
for candidate in $python "$work/env/bin/python" python3 python python3.13 python3.12 python3.11 \
    python3.10 /opt/conda/bin/python /root/miniconda3/bin/python "$HOME/miniconda3/bin/python" \
    "$HOME/anaconda3/bin/python" /root/miniconda3/envs/myconda/bin/python \
    /environment/miniconda3/bin/python /usr/local/miniconda3/bin/python \
    /venv/main/bin/python /opt/venv/bin/python /workspace/venv/bin/python; do
    [ -n "$candidate" ] || continue
    found=$(command -v "$candidate") || continue
    case $seen in *" $found "*) continue ;; esac
    seen="$seen$found "
    inspect "$found" && first=${first:-$found}
done
# How fast one core runs C code, in MB a second of zlib: the same in every version of Python.
[ "$score" = yes ] && [ -n "$first" ] && "$first" -I - <<'PYTHON'
import time, zlib
data, best = b"".join(b"%d,%d;" % (i, i * i % 977) for i in range(40000)), 9.0
for _ in range(4):
    start = time.process_time()
    zlib.compress(data, 6)
    best = min(best, time.process_time() - start)
print("core_speed %.1f" % (len(data) / best / 1e6))
PYTHON

waited=0
while [ -n "$scratch" ] && [ ! -e "$scratch/asked" ] && [ ! -e "$scratch/stuck" ] &&
    [ "$waited" -lt "$((gpu_limit * 10))" ]; do
    if sleep 0.1; then waited=$((waited + 1)); else sleep 1; waited=$((waited + 10)); fi
done
if [ -z "$scratch" ]; then
    echo "gpu nvidia-smi: not asked, there is no room for a temporary file"
else
    for kind in gpu capability table list; do
        [ -r "$scratch/$kind" ] && head -n 200 "$scratch/$kind" | sed "s/^/$kind /"
    done
    if [ ! -e "$scratch/asked" ]; then
        echo "gpu nvidia-smi: no answer within $gpu_limit s"
        kill -9 "$asker"  # first: it would go on to the next question
        [ -r "$scratch/pid" ] && kill -9 "$(cat "$scratch/pid")"
    fi
    rm -rf "${scratch:?}"
fi
# The driver's own files answer even where nvidia-smi does not.
head -n 1 /proc/driver/nvidia/version | sed 's/^/driver /'
for file in /proc/driver/nvidia/gpus/*/information; do
    [ -r "$file" ] && sed -n 's/^Model: *[	 ]*/card /p' "$file"
done

# Every source at once, each with its own limit: one that hangs must not hold up the others.
fetch() {
    if command -v curl >/dev/null; then
        measured=$(curl -sSL -o /dev/null -r 0-1048575 --connect-timeout 4 --max-time 8 \
            -w '%{http_code} %{size_download} %{time_total}' "$1" </dev/null)
    elif command -v wget >/dev/null; then
        start=$(date +%s)
        size=$(wget -q -T 4 -t 1 -O - "$1" </dev/null | head -c 1048576 | wc -c)
        measured="$([ "$size" -gt 0 ] && echo 200 || echo 000) $size $(($(date +%s) - start))"
    else
        measured="- - -"
    fi
    echo "source ${measured:-000 0 0} $1"
}
fetches=
for source in $sources; do fetch "$source" & fetches="$fetches $!"; done
# Not for nvidia-smi, which may never end.
# shellcheck disable=SC2086
[ -n "$fetches" ] && wait $fetches
echo "end $(date +%s)"
