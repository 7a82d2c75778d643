"""What a person does with a server that was just rented, and what each kind has to say to it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loopback_index import loopback_index
from zoo_servers import (
    ERRS,
    HANGS,
    OLD_DRIVER,
    RTX_4090,
    RTX_5090,
    ZooServer,
    image_python,
    simulated_torch,
    zoo_server,
)

ROOT = Path(__file__).resolve().parents[2]
_SMI = "/usr/bin/nvidia-smi"
_PYTHONS = ("cp310", "cp311", "cp312", "cp313")
_WHEELS = [
    f"{name}-2.11.0+{{}}-{python}-{python}-manylinux_2_28_x86_64.whl"
    for name in ("torch", "torchaudio")
    for python in _PYTHONS
]
_IMAGE = """python3 -m venv --without-pip /opt/conda
site=$(ls -d /opt/conda/lib/python3*/site-packages)
for name in "torch {torch}" "torchaudio {torch}" "numpy 2.1.0"; do
    set -- $name
    info=$site/$1-$2.dist-info
    mkdir -p "$info"
    printf 'Metadata-Version: 2.1\\nName: %s\\nVersion: %s\\n' "$1" "$2" >"$info/METADATA"
done
mkdir -p "$site/torch"
: >"$site/torch/__init__.py"
printf "cuda: Optional[str] = '%s'\\n" "{cuda}" >"$site/torch/version.py"
"""


STATIONS = {
    "doctor": ("doctor",),
    "deploy": ("deploy", "--dry-run"),
    "deployed": ("deploy",),
    "train": ("train", "--voice", "Nobody", "--preset", "tiny"),
}


_CARD = "NVIDIA GeForce RTX 4090"
COMPUTES = simulated_torch("2.8.0+cu128", "12.8", _CARD, 8.9)
READY = f"torch 2.8.0+cu128 · {_CARD} (8.9) · fp32 fp16 bf16"


def fails(words: str) -> str:
    """The set-up of an image whose torch says that of the GPU that nvidia-smi shows."""
    return simulated_torch("2.8.0+cu128", "12.8", _CARD, 8.9, words)


def image(torch: str, cuda: str) -> str:
    """The set-up of an image whose conda Python has that torch."""
    return _IMAGE.format(torch=torch, cuda=cuda)


@dataclass(frozen=True)
class Journey:
    """A server, and what has to be said: at `server add`, by `doctor`, by `deploy --dry-run`.

    "" asks nothing of a station. Where `refused`, `server add` fails with the words of `add` and
    nothing is saved. deployed: by `deploy`, which is carried out then. train: by `train` for a
    voice without data, and never that it was started. never: words that no station may say.
    """

    server: ZooServer
    add: str = ""
    doctor: str = ""
    deploy: str = ""
    deployed: str = ""
    train: str = ""
    refused: bool = False
    never: tuple[str, ...] = ("Traceback", "step_failed")


@dataclass(frozen=True)
class Outcome:
    """What was said at each station, and what of it was wrong ("" when all is right)."""

    journey: Journey
    said: dict[str, str]
    wrong: str


_VAST = {"VAST_CONTAINERLABEL": "C.1", "CONTAINER_API_KEY": "secret-key-3"}
JOURNEYS = [
    Journey(
        ZooServer("plain Debian, RTX 4090", files={_SMI: RTX_4090}),
        add="✓ GPU: NVIDIA GeForce RTX 4090; driver 550.54.14, CUDA 12.4",
        doctor="One core packs",
        deploy="torch's builds cu126 fits",
    ),
    Journey(
        ZooServer("RTX 5090", files={_SMI: RTX_5090}),
        add="RTX 5090",
        deploy="torch's builds cu128 fits",
    ),
    Journey(
        ZooServer("driver 470", files={_SMI: OLD_DRIVER}),
        add="driver 470.57.2, CUDA 11.4",
        deploy="only runs CUDA 11.4",
    ),
    Journey(
        ZooServer(
            "image with torch 2.8+cu128", files={_SMI: RTX_5090}, setup=image("2.8.0", "12.8")
        ),
        deploy="whose torch 2.8.0 is kept",
    ),
    Journey(
        ZooServer(
            "image with a torch too new", files={_SMI: RTX_4090}, setup=image("2.9.1", "13.0")
        ),
        deploy="needs CUDA 13.0, but the driver only runs 12.4",
    ),
    Journey(
        ZooServer("nvidia-smi hangs", files={_SMI: HANGS}),
        add="nvidia-smi does not answer",
        deploy="torch's build",
    ),
    Journey(
        ZooServer("AutoDL without its GPU", files={_SMI: ERRS, "/root/autodl-tmp": None}),
        add="Provider: autodl",
        doctor="the server may be in its mode without a GPU",
        deploy="/root/autodl-tmp/sovdeck",
    ),
    Journey(
        ZooServer("AutoDL, bare address", files={_SMI: RTX_4090, "/root/autodl-tmp": None}),
        add="switched off by: /usr/bin/shutdown",
        doctor="releases it after 15 days",
        deploy="/root/autodl-tmp/sovdeck",
    ),
    Journey(
        ZooServer(
            "RunPod, marks of the first process",
            files={_SMI: RTX_4090, "/workspace": None},
            environment={"RUNPOD_POD_ID": "pod1", "RUNPOD_API_KEY": "secret-key-1"},
        ),
        add="Provider: runpod",
        deploy="/workspace/sovdeck",
        never=("Traceback", "secret-key-1"),
    ),
    Journey(
        ZooServer(
            "RunPod, marks in a file only",
            files={
                _SMI: RTX_4090,
                "/etc/rp_environment": 'export RUNPOD_API_KEY="secret-key-2"\n'
                'export RUNPOD_POD_ID="pod1"',
            },
        ),
        add="Provider: runpod",
        deploy="/root/sovdeck",
        never=("Traceback", "secret-key-2"),
    ),
    Journey(
        ZooServer(
            "Vast, bare address",
            files={_SMI: RTX_4090},
            environment=_VAST,
        ),
        add="Provider: vast",
        deploy="/root/sovdeck",
        never=("Traceback", "secret-key-3"),
    ),
    Journey(
        ZooServer("GPUSHARE", files={_SMI: RTX_4090, "/hy-tmp": None}),
        add="24 hours",
        deploy="/hy-tmp/sovdeck",
    ),
    Journey(
        ZooServer("Vast with its disk", files={"/workspace": None}, environment=_VAST),
        add="switched off by: https://console.vast.ai/api",
        deploy="/workspace/sovdeck",
        never=("Traceback", "secret-key-3"),
    ),
    Journey(
        ZooServer(
            "AutoDL, marks of log-in shells only",
            files={"/etc/profile.d/autodl.env.sh": "export AutoDLContainerUUID=u-1"},
        ),
        add="Provider: autodl",
        deploy="/root/sovdeck",
    ),
    *(
        Journey(ZooServer(kind, files={path: None}), add=words, doctor=more)
        for kind, path, words, more in (
            ("Matpool", "/public/script/matncli/x", "can only be switched off on", "only knows"),
            ("Featurize", "/home/featurize/work", "Provider: featurize", "deletes all but ~/work"),
            ("Lambda", "/lambda/nfs", "can only be switched off on its page", "only terminated"),
            ("Paperspace", "/home/paperspace", "Provider: paperspace", "goes on charging"),
        )
    ),
    Journey(
        ZooServer("Slurm's log-in node", files={"/usr/bin/sbatch": "#!/bin/sh"}),
        add="login node of a Slurm cluster",
    ),
    Journey(
        ZooServer("lab box without a GPU", setup=image_python("/opt/conda")),
        add="No GPU answers now",
        doctor="/opt/conda/bin/python with torch",
        deployed="is on zoo",
        train="Nobody.list cannot be read",
    ),
    *(
        Journey(
            ZooServer(
                f"login shell {Path(shell).name}",
                shell=shell,
                files={_SMI: RTX_4090},
                setup=COMPUTES,
            ),
            add=f"the login shell is {shell}",
            deployed=READY,
        )
        for shell in ("/bin/sh", "/usr/bin/zsh", "/usr/bin/tcsh", "/bin/bsd-csh", "/usr/bin/fish")
        if Path(shell).exists()
    ),
    *(
        Journey(
            ZooServer(f"torch says: {words[:40]}", files={_SMI: RTX_4090}, setup=fails(words)),
            deployed=said,
            never=("Traceback", "is on zoo", "device = cpu"),
        )
        for words, said in (
            ("Error 804: forward compatibility was attempted", "do not match its driver"),
            ("CUDA error: no kernel image is available", "has no kernels for its GPU"),
            ("CUDA out of memory. Tried to allocate 2 MiB", "no memory left for a first kernel"),
            ("No CUDA GPUs are available", "a program gets none"),
        )
    ),
    Journey(
        ZooServer(
            "rc file that prints",
            files={_SMI: RTX_4090, "/root/.bashrc": "echo Welcome!"},
            setup=COMPUTES,
        ),
        add='prints to every command: "Welcome!"',
        deployed=READY,
    ),
    Journey(
        ZooServer(
            "rc file without a last newline",
            files={"/root/.bashrc": "printf '| disk 12%% |'"},
            setup=image_python("/opt/conda"),
        ),
        add="| disk 12% |",
        deployed="is on zoo",
        train="Nobody.list cannot be read",
    ),
    Journey(
        ZooServer(
            "rc file that loses PATH",
            files={"/root/.bashrc": "PATH=/nowhere"},
        ),
        add="sh: command not found. Log in by hand with ssh",
        refused=True,
    ),
    Journey(
        ZooServer(
            "rc file that puts another PATH first",
            files={_SMI: RTX_4090, "/root/.bashrc": "PATH=/opt/conda/bin:$PATH"},
            setup=COMPUTES,
        ),
        deployed=READY,
    ),
    Journey(
        ZooServer("slow rc file", files={_SMI: RTX_4090, "/root/.bashrc": "sleep 3"}),
        add="Commands run there",
    ),
    Journey(
        ZooServer("rc file that starts tmux", files={"/root/.bashrc": "exec tmux attach"}),
        add="starts another program instead of our command",
        refused=True,
    ),
    Journey(
        ZooServer("nologin", shell="/usr/sbin/nologin"),
        add="has no login shell",
        refused=True,
    ),
    Journey(
        ZooServer("internal-sftp only", config="ForceCommand internal-sftp"),
        add="may only transfer files",
        refused=True,
    ),
    Journey(
        ZooServer(
            "RunPod's proxy",
            config='ForceCommand echo "Error: Your SSH client doesn\'t support PTY"',
        ),
        add="exposed TCP",
        refused=True,
    ),
    Journey(
        ZooServer(
            "no SFTP",
            files={_SMI: RTX_4090, "/usr/lib/openssh/sftp-server": "#!/bin/false"},
            setup=COMPUTES,
        ),
        add="offers no SFTP",
        deployed=READY,
    ),
    *(
        Journey(
            ZooServer(
                f"MaxSessions {count}",
                files={_SMI: RTX_4090},
                config=f"MaxSessions {count}",
                setup=COMPUTES,
            ),
            add=f"allows {count} session",
            deployed=READY,
        )
        for count in (1, 2)
    ),
    Journey(
        ZooServer(
            "no tar, sha256sum, openssl",
            files={_SMI: RTX_4090},
            setup=f"{COMPUTES}rm -f /usr/bin/tar /usr/bin/sha256sum /usr/bin/openssl\n",
        ),
        deployed=READY,
    ),
    Journey(
        ZooServer(
            "a home of one GiB",
            files={_SMI: RTX_4090},
            setup="mount -t tmpfs -o size=1g home /root",
        ),
        doctor="has only",
        deploy="No folder on the server is writable and has 4 GiB free",
    ),
    Journey(
        ZooServer("account expired", config="UsePAM yes", setup="usermod --expiredate 1 root"),
        add="whether the account is locked or has expired",
        refused=True,
    ),
    Journey(
        ZooServer(
            "password expired",
            config="UsePAM yes",
            setup="echo root:x1 | chpasswd; chage -d 0 root",
        ),
        add="Log in once by hand with ssh and set a new password",
        refused=True,
    ),
    Journey(
        ZooServer(
            "musl",
            files={_SMI: RTX_4090, "/lib/ld-musl-x86_64.so.1": ""},
            setup=("rm -f /usr/bin/getconf"),
        ),
        deploy="C library musl",
    ),
]


def travel(journey: Journey) -> Outcome:
    """Add the server, ask the doctor, plan a deployment; say what was said and what was wrong."""
    said: dict[str, str] = {}
    with (
        zoo_server(journey.server) as place,
        tempfile.TemporaryDirectory() as folder,
        loopback_index() as index,
    ):
        home = Path(folder)
        for build in ("cpu", "cu126", "cu128", "cu130"):
            index.add_index(f"/whl/{build}", {name.format(build): b"x" for name in _WHEELS})
        (home / "deploy.toml").write_text(f'[python]\ntorch_index = "{index.url}/whl"\n')
        line = place.spec.format()
        trust = ("--accept-host-key", place.fingerprint)
        code, said["add"] = sovdeck(home, "server", "add", line, "--name", "zoo", *trust)
        wrong = list(_compare("add", said["add"], journey.add))
        if (code != 0) is not journey.refused:
            wrong.append(f"server add ended with {code}: {said['add'][-300:]}")
        if not journey.refused and code == 0:
            for station, argv in STATIONS.items():
                expected = getattr(journey, station)
                if expected:
                    code, said[station] = sovdeck(home, *argv[:1], "zoo", *argv[1:])
                    wrong += _compare(station, said[station], expected)
                    if "Traceback" in said[station] or code == 1:
                        wrong.append(f"{station} ended with {code}: {said[station][-300:]}")
    for station, words in said.items():
        wrong += [f"{station} said {word!r}" for word in journey.never if word in words]
    return Outcome(journey, said, "; ".join(wrong))


def _compare(station: str, said: str, expected: str) -> Iterator[str]:
    if expected not in said:
        yield f"{station} did not say {expected!r} but: {said[-600:]}"


def sovdeck(home: Path, *arguments: str) -> tuple[int, str]:
    """Run the command line of a laptop whose all is in `home`; its exit code and words."""
    env = {**os.environ, "SOVDECK_HOME": str(home / "home"), "SOVDECK_LANG": "en"}
    env |= {"HOME": str(home), "PYTHONPATH": str(ROOT / "dev"), "PYTHONIOENCODING": "utf-8"}
    env.pop("SSH_AUTH_SOCK", None)
    done = subprocess.run(
        [sys.executable, "-m", "sovdeck.tui", *arguments],
        capture_output=True,
        encoding="utf-8",
        cwd=home,
        stdin=subprocess.DEVNULL,
        timeout=240,
        env=env,
    )
    return done.returncode, done.stdout + done.stderr
