"""What this machine has for training a voice, and what it lacks."""

from __future__ import annotations

import importlib.util
import platform
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from sovdeck.engine import __version__
from sovdeck.engine.contract.catalogue import Text, text
from sovdeck.engine.contract.layout import VERSIONS, Layout
from sovdeck.engine.contract.pretrained_set import missing_files
from sovdeck.engine.prepare.frozen_encoders import CONTENT_ENCODER_FOLDER, TEXT_ENCODER_FOLDER

_MODULES = ("torchaudio", "numpy", "psutil", "pynvml", "soundfile", "transformers", "pyopenjtalk")
_MIN_PYTHON = (3, 10)
_DISK_GIB = 10  # states of both stages, features and weights of a v2 voice
_GIB = 1 << 30


@dataclass(frozen=True)
class CheckResult:
    """The result of one check. `state`: good, warning (training works without) or bad."""

    name: str
    state: str
    value: str
    advice: Text

    def as_json(self) -> dict[str, Any]:
        """All fields; the advice in both languages."""
        return {**asdict(self), "advice": self.advice.as_json()}


def run_checks(work: Path) -> list[CheckResult]:
    """Check Python, torch, GPUs, modules, disk, memory and pretrained sets."""
    return [
        _check_python(),
        _check_torch(),
        *_check_gpus(),
        *_check_modules(),
        _check_disk(work),
        _check_memory(),
        *_check_pretrained(work),
    ]


def _check_python() -> CheckResult:
    enough = tuple(map(int, platform.python_version_tuple()[:2])) >= _MIN_PYTHON
    return _check_result("python", enough, platform.python_version(), "engine.doctor.python")


def _check_torch() -> CheckResult:
    built = f"{torch.__version__}, engine {__version__}"
    return _check_result("torch", True, built, "engine.doctor.fine")


def _check_gpus() -> list[CheckResult]:
    if not torch.cuda.is_available():
        return [_check_result("gpu", False, "-", "engine.doctor.no_gpu", bad="warning")]
    results = []
    for number in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(number)
        value = f"{card.name}, {card.total_memory / _GIB:.1f} GiB, sm_{card.major}{card.minor}"
        # A GPU that this build has no kernels for is seen all the same.
        runs = has_kernels(torch.cuda.get_arch_list(), (card.major, card.minor))
        results.append(_check_result(f"gpu {number}", runs, value, "engine.doctor.old_torch"))
    return results


def has_kernels(architectures: Sequence[str], capability: tuple[int, int]) -> bool:
    """Whether a build of torch for `architectures` (sm_86, compute_90) runs on a card.

    Kernels run on cards of their own major version with an equal or higher minor one; what was
    kept as PTX (compute_) is compiled anew for every later card.
    """
    for architecture in architectures:
        kind, _, number = architecture.partition("_")
        digits = number.rstrip("af")  # sm_90a: made for that very card
        built = (int(digits[:-1]), int(digits[-1]))
        if kind == "compute" and built <= capability:
            return True
        if digits != number and built != capability:
            continue
        if kind == "sm" and built[0] == capability[0] and built[1] <= capability[1]:
            return True
    return False


def _check_modules() -> list[CheckResult]:
    results = []
    for name in _MODULES:
        installed = importlib.util.find_spec(name) is not None
        results.append(
            _check_result(name, installed, "" if installed else "-", "engine.doctor.module")
        )
    return results


def _check_disk(work: Path) -> CheckResult:
    existing = work
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free / _GIB
    return _check_result(
        "disk", free >= _DISK_GIB, f"{free:.1f} GiB", "engine.doctor.disk", bad="warning"
    )


def _check_memory() -> CheckResult:
    free = psutil.virtual_memory().available / _GIB
    return _check_result(
        "memory", free >= 4, f"{free:.1f} GiB", "engine.doctor.memory", bad="warning"
    )


def _check_pretrained(work: Path) -> list[CheckResult]:
    folder = Path(Layout.at(work.as_posix()).pretrained)
    sets = sorted(path for path in folder.glob("*") if path.is_dir())
    if not sets:
        return [
            _check_result("pretrained", False, "-", "engine.doctor.no_pretrained", bad="warning")
        ]
    results = []
    for path in sets:
        missing = {version: missing_files(path, version) for version in VERSIONS}
        complete = [version for version, names in missing.items() if not names]
        lacking = [] if complete else min(missing.values(), key=len)
        encoders = (CONTENT_ENCODER_FOLDER, TEXT_ENCODER_FOLDER)
        lacking = lacking + [name for name in encoders if not (path / name).is_dir()]
        value = ", ".join(lacking or complete)
        results.append(
            _check_result(
                f"pretrained/{path.name}",
                not lacking,
                value,
                "engine.doctor.no_pretrained",
                bad="warning",
            )
        )
    return results


def _check_result(
    name: str, good: bool, value: str, advice: str, *, bad: str = "bad"
) -> CheckResult:
    return CheckResult(
        name, "good" if good else bad, value, text("engine.doctor.fine" if good else advice)
    )
