"""What this machine has for training a voice, and what it lacks."""

from __future__ import annotations

import importlib.util
import platform
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

import engine
from engine.contract.catalogue import Text, text
from engine.contract.layout import Layout
from engine.training.base import CONTENT_FOLDER, TEXT_FOLDER

_MODULES = ("torchaudio", "numpy", "psutil", "pynvml", "soundfile", "transformers", "pyopenjtalk")
_LEAST_PYTHON = (3, 10)
_DISK_GIB = 10  # states of both stages, features and weights of a v2 voice
_GIB = 1 << 30


@dataclass(frozen=True)
class Finding:
    """One checked thing. `state`: good, warning (training works without) or bad."""

    name: str
    state: str
    value: str
    advice: Text

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "advice": self.advice.as_json()}


def examine(work: Path) -> list[Finding]:
    """Check Python, torch, GPUs, modules, disk, memory and pretrained sets."""
    return [
        _python(), _torch(), *_gpus(), *_modules(), _disk(work), _memory(), *_pretrained(work),
    ]  # fmt: skip


def _python() -> Finding:
    enough = tuple(map(int, platform.python_version_tuple()[:2])) >= _LEAST_PYTHON
    return _finding("python", enough, platform.python_version(), "engine.doctor.python")


def _torch() -> Finding:
    built = f"{torch.__version__}, engine {engine.__version__}"
    return _finding("torch", True, built, "engine.doctor.fine")


def _gpus() -> list[Finding]:
    if not torch.cuda.is_available():
        return [_finding("gpu", False, "-", "engine.doctor.no_gpu", bad="warning")]
    found = []
    for number in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(number)
        value = f"{card.name}, {card.total_memory / _GIB:.1f} GiB, sm_{card.major}{card.minor}"
        # A GPU newer than the build is seen but has no kernels.
        runs = f"sm_{card.major}{card.minor}" in torch.cuda.get_arch_list() or card.major < 9
        found.append(_finding(f"gpu {number}", runs, value, "engine.doctor.old_torch"))
    return found


def _modules() -> list[Finding]:
    found = []
    for name in _MODULES:
        there = importlib.util.find_spec(name) is not None
        found.append(_finding(name, there, "" if there else "-", "engine.doctor.module"))
    return found


def _disk(work: Path) -> Finding:
    place = work
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / _GIB
    return _finding(
        "disk", free >= _DISK_GIB, f"{free:.1f} GiB", "engine.doctor.disk", bad="warning"
    )


def _memory() -> Finding:
    free = psutil.virtual_memory().available / _GIB
    return _finding("memory", free >= 4, f"{free:.1f} GiB", "engine.doctor.memory", bad="warning")


def _pretrained(work: Path) -> list[Finding]:
    folder = Path(Layout.at(work.as_posix()).pretrained)
    sets = sorted(path for path in folder.glob("*") if path.is_dir())
    if not sets:
        return [_finding("pretrained", False, "-", "engine.doctor.no_pretrained", bad="warning")]
    wanted = ("s2G*.pth", "s2D*.pth", "s1*.ckpt", CONTENT_FOLDER, TEXT_FOLDER)
    found = []
    for path in sets:
        lacking = [pattern for pattern in wanted if not list(path.glob(pattern))]
        value = ", ".join(lacking)
        found.append(
            _finding(
                f"pretrained/{path.name}",
                not lacking,
                value,
                "engine.doctor.no_pretrained",
                bad="warning",
            )  # fmt: skip
        )
    return found


def _finding(name: str, good: bool, value: str, advice: str, *, bad: str = "bad") -> Finding:
    return Finding(
        name, "good" if good else bad, value, text("engine.doctor.fine" if good else advice)
    )
