"""Real OpenSSH servers, each a machine of its own kind: passwd, shell, rc files, programs, marks.

Each sshd is the first process of a PID namespace, in a mount namespace whose root is an overlay
over this machine's: what a kind of server has is written there and gone with it. The network is
this machine's. Needs root, overlayfs and namespaces.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from servers import Place, find_sshd, free_port, wait_for_port

from sovdeck.remote.auth.keypair import generate_key
from sovdeck.remote.hosts.spec import HostSpec

# The size of the tmpfs is a limit, which a plan sees as room; nothing near it is written.
_ENTER = """set -e
top=$1; shift
mount -t tmpfs -o size=64g tmpfs "$top/layers"
up=$top/layers/up; work=$top/layers/work
mkdir -p "$up" "$work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$up,workdir=$work" "$top/root"
mount --rbind /dev "$top/root/dev"
mount -t proc proc "$top/root/proc"
while read -r here there; do
    mkdir -p "$top/root$there"
    mount --bind "$here" "$top/root$there"
done <"$top/disks"
chroot "$top/root" sh "$top/setup.sh"
# The shell stays the first process, as a container's start script does: its environment tells.
chroot "$top/root" "$@"
"""

_SMI = """#!/bin/sh
# nvidia-smi of a server with one card: {card}, capability {capability}, driver {driver}.
case "$*" in
    *compute_cap*) echo "0, {capability}" ;;
    *--query-gpu=*)
        rest=${{*#*--query-gpu=}}; fields=${{rest%% *}}; row=
        for field in $(echo "$fields" | tr ',' ' '); do
            case $field in
                index) cell=0 ;; uuid) cell=GPU-1 ;; driver_version) cell={driver} ;;
                memory.total) cell=24564 ;; memory.used) cell=1 ;; memory.free) cell=24563 ;;
                name) cell="{card}" ;; *) cell="[N/A]" ;;
            esac
            row="$row${{row:+, }}$cell"
        done
        echo "$row" ;;
    -L) echo "GPU 0: {card} (UUID: GPU-1)" ;;
    *) printf '%s\\n%s\\n%s\\n' "date" "+---+" \\
        "| NVIDIA-SMI {driver}  Driver Version: {driver}  CUDA Version: {cuda} |" ;;
esac
"""


def nvidia_smi(card: str, capability: float, driver: str, cuda: str) -> str:
    """The text of a program that answers as nvidia-smi does on a server with one such card."""
    return _SMI.format(card=card, capability=capability, driver=driver, cuda=cuda)


RTX_4090 = nvidia_smi("NVIDIA GeForce RTX 4090", 8.9, "550.54.14", "12.4")
RTX_5090 = nvidia_smi("NVIDIA GeForce RTX 5090", 12.0, "570.26", "12.8")
OLD_DRIVER = nvidia_smi("Tesla T4", 7.5, "470.57.02", "11.4")
HANGS = "#!/bin/sh\nexec sleep 1000\n"
ERRS = (
    "#!/bin/sh\necho \"NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA"
    ' driver."\nexit 9\n'
)


@dataclass(frozen=True)
class ZooServer:
    """One kind of server.

    shell: the login shell. files: path -> text, or None for a folder; programs are made executable
    below /usr/bin. environment: of the container's first process. config: lines of sshd_config
    that come before ours. setup: sh, run in the new root before sshd starts. disks: path there ->
    folder of this machine, which outlives the server.
    """

    kind: str
    shell: str = "/bin/bash"
    files: Mapping[str, str | None] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    config: str = ""
    setup: str = ""
    disks: Mapping[str, Path] = field(default_factory=dict)


def image_python(folder: str) -> str:
    """The set-up of an image whose Python in `folder` has the packages of this one."""
    base, packages = os.path.realpath(sys.executable), sysconfig.get_path("purelib")
    return (
        f"{base} -m venv --without-pip {folder}\n"
        f"site=$(ls -d {folder}/lib/python3*/site-packages)\n"
        f'rm -r "$site"\nln -s {packages} "$site"\n'
    )


# A torch that computes with numpy what the check of a deployment computes, on a GPU of that name.
_TORCH = """import sys, types
import numpy
__version__ = "{version}"
version = types.SimpleNamespace(cuda="{cuda}")
float32, float16, bfloat16 = "f4", "f2", "f4"
class Tensor(numpy.ndarray):
    def to(self, device, dtype): return self.astype(dtype)
    def float(self): return self.astype("f4")
    def cpu(self): return self
def arange(count, dtype): return numpy.arange(count, dtype=dtype).view(Tensor)
def ones(*shape, device, dtype): return numpy.ones(shape, dtype).view(Tensor)
def allclose(one, other, atol): return numpy.allclose(one, other, atol=atol)
def conv1d(wave, kernel):
    return numpy.convolve(wave[0, 0], kernel[0, 0], "valid").reshape(1, 1, -1).view(Tensor)
nn = types.SimpleNamespace(functional=types.SimpleNamespace(conv1d=conv1d))
def init():
    if "{fails}": raise RuntimeError("{fails}")
def get_device_properties(number):
    return types.SimpleNamespace(name="{card}", major={major}, minor={minor})
cuda = types.SimpleNamespace(init=init, get_device_properties=get_device_properties)
"""
_SIMULATED_TORCH = """site=$(ls -d {folder}/lib/python3*/site-packages)
for entry in {packages}/*; do
    case ${{entry##*/}} in torch*|functorch*|*sovdeck*) ;; *) ln -s "$entry" "$site" ;; esac
done
for name in torch torchaudio; do
    mkdir -p "$site/$name" "$site/$name-{release}.dist-info"
    printf 'Metadata-Version: 2.1\\nName: %s\\nVersion: {version}\\n' "$name" \\
        >"$site/$name-{release}.dist-info/METADATA"
    : >"$site/$name/__init__.py"
done
printf "cuda: Optional[str] = '%s'\\n" "{cuda}" >"$site/torch/version.py"
cat >"$site/torch/__init__.py" <<'TORCH_END'
{torch}TORCH_END
"""


def simulated_torch(version: str, cuda: str, card: str, capability: float, fails: str = "") -> str:
    """The set-up of an image whose conda Python has all packages, and such a torch on such a card.

    fails: what torch says when it is to use the GPU.
    """
    major, _, minor = str(capability).partition(".")
    facts = {"version": version, "cuda": cuda}
    torch = _TORCH.format(card=card, major=major, minor=minor, fails=fails, **facts)
    packages, release = sysconfig.get_path("purelib"), version.partition("+")[0]
    return f"{os.path.realpath(sys.executable)} -m venv --without-pip /opt/conda\n" + (
        _SIMULATED_TORCH.format(
            folder="/opt/conda", packages=packages, release=release, torch=torch, **facts
        )
    )


def why_not() -> str:
    """Why these servers cannot be had here; empty where they can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "servers in namespaces of their own need root"
    if shutil.which("unshare") is None or shutil.which("chroot") is None:
        return "there is no unshare or chroot on this machine"
    if "overlay" not in Path("/proc/filesystems").read_text():
        return "this kernel has no overlayfs"
    tried = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True)
    return "" if tried.returncode == 0 else "this machine lets nobody make a namespace"


@contextmanager
def zoo_server(server: ZooServer) -> Iterator[Place]:
    """Start it; its processes and files end with it."""
    # Outside /tmp, which the overlay covers: what the server writes there stays its own.
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="zoo") as name:
        top = Path(name)
        for folder in ("layers", "root"):
            (top / folder).mkdir()
        identity, host_key = generate_key(top / "id_ed25519"), generate_key(top / "host_key")
        port = free_port("127.0.0.1")
        (top / "sshd_config").write_text(
            f"{server.config}\nListenAddress 127.0.0.1:{port}\nHostKey {host_key}\n"
            "PidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {identity}.pub\nStrictModes no\nPasswordAuthentication no\n"
            f"PermitRootLogin yes\nSubsystem sftp /usr/lib/openssh/sftp-server\n"
        )
        disks = (f"{here} {there}\n" for there, here in server.disks.items())
        (top / "disks").write_text("".join(disks))
        (top / "setup.sh").write_text(_setup_script(server))
        log = top / "sshd.log"
        process = subprocess.Popen(
            [
                *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
                *("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"),
                *(f"{key}={value}" for key, value in server.environment.items()),
                *("sh", "-c", _ENTER, "enter", str(top)),
                *(find_sshd(), "-D", "-e", "-f", str(top / "sshd_config")),
            ],
            stdout=log.open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_for_port("127.0.0.1", port, process, log)
            shown = subprocess.run(
                ["ssh-keygen", "-lf", f"{host_key}.pub"], check=True, capture_output=True, text=True
            )
            spec = HostSpec("127.0.0.1", port, "root", (str(identity),))
            yield Place(spec, Path("/root"), shown.stdout.split()[1], top, process)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)


def _setup_script(server: ZooServer) -> str:
    lines = [
        "set -e",
        "umask 022",
        "mkdir -p /run/sshd /tmp",
        # A home without the files of whoever runs the tests.
        "rm -f /root/.bashrc /root/.profile /root/.sovdeck-work /root/.cshrc /root/.tcshrc",
        f"sed -i 's#^root:.*#root:x:0:0:root:/root:{server.shell}#' /etc/passwd",
    ]
    for path, text in server.files.items():
        if text is None:
            lines.append(f"mkdir -p '{path}'")
            continue
        lines += [f"mkdir -p '{Path(path).parent}'", f"cat >'{path}' <<'ZOO_END'", text, "ZOO_END"]
        if path.startswith("/usr/bin/"):
            lines.append(f"chmod 755 '{path}'")
    return "\n".join([*lines, server.setup, ""])
