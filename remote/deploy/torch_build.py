"""Which build of torch a server can use: from its driver, cards, system and Python. Pure.

Sources: PyTorch's RELEASE.md and build_cuda.sh (which cards a build has kernels for), NVIDIA's
CUDA compatibility guide (which driver runs which CUDA). A CUDA build runs on every driver of its
CUDA's major version, and on no older one; kernels run on cards of the same major capability and an
equal or higher minor one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from sovdeck.engine.contract.catalogue import Text, text
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.probe.facts import Interpreter, ServerFacts

OLDEST_CUDA = (12, 0)
OLDEST_GLIBC_MINOR = 28  # torch 2.7 and newer are manylinux_2_28 wheels
_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class TorchBuild:
    """One build of the torch that we install.

    name: as in the index and the local version ("cu126"). cuda_major: which drivers run it, None
    without CUDA. kernels: capabilities it was compiled for, by machine. wheel_bytes: of torch
    itself, where the index does not say. library_bytes: of the packages that it needs beside it.
    """

    name: str
    cuda_major: int | None
    kernels: dict[str, tuple[float, ...]]
    wheel_bytes: int
    library_bytes: int

    def download_bytes(self, wheel_bytes: int | None = None) -> int:
        """About what is downloaded; wheel_bytes: of torch's own wheel, where an index told."""
        return (wheel_bytes or self.wheel_bytes) + self.library_bytes


# Of torch 2.11. The libraries' sizes are sums of PyPI's metadata for the torch whose default build
# it is: 2.11 for cu130, 2.10 for cu128, 2.7 for cu126, there with the cuDNN, NCCL, cuSPARSELt,
# NVSHMEM and Triton that 2.10 takes.
_X86_TURING_ON = (7.5, 8.0, 8.6, 9.0, 10.0, 12.0)
TORCH_BUILDS = {
    build.name: build
    for build in (
        TorchBuild("cpu", None, {}, 190 * _MEGABYTE, 10 * _MEGABYTE),
        TorchBuild(
            "cu126",
            12,
            {"x86_64": (5.0, 6.0, 7.0, 7.5, 8.0, 8.6, 9.0), "aarch64": (8.0, 9.0)},
            830 * _MEGABYTE,
            2730 * _MEGABYTE,
        ),
        TorchBuild(
            "cu128",
            12,
            {"x86_64": _X86_TURING_ON, "aarch64": (8.0, 9.0, 10.0, 12.0)},
            900 * _MEGABYTE,
            3210 * _MEGABYTE,
        ),
        TorchBuild(
            "cu130",
            13,
            {"x86_64": _X86_TURING_ON, "aarch64": (8.0, 9.0, 10.0, 11.0, 12.0)},
            531 * _MEGABYTE,
            2190 * _MEGABYTE,
        ),
    )
}
# What `pip install torch==2.11.*` takes from PyPI and its mirrors.
PYPI_BUILD = "cu130"


@dataclass(frozen=True)
class TorchChoice:
    """The build to install and why."""

    build: str
    reason: Text


def choose_torch(facts: ServerFacts, wanted: str = "auto") -> TorchChoice:
    """Return the build for this server; Problem where none can run its GPU.

    wanted: a build's name takes that one unasked; "auto" chooses.
    """
    check_system(facts)
    if wanted != "auto":
        return TorchChoice(wanted, text("remote.torch.named", build=wanted))
    cuda = facts.driver_cuda
    if cuda is None:
        return _choose_without_driver(facts)
    if cuda < OLDEST_CUDA:
        raise Problem("remote.deploy.old_driver", ExitCode.CONFIG, have=f"{cuda[0]}.{cuda[1]}")
    # The newest build that the driver was made for comes first, then what else it runs.
    order = ("cu130", "cu128", "cu126") if cuda >= (12, 8) else ("cu126", "cu128")
    runnable = [build for build in order if runs_cuda(cuda, build)]
    cards = facts.compute_capabilities
    counts = {build: _count_served(build, facts.machine, cards) for build in runnable}
    best = max(runnable, key=lambda build: counts[build])
    if cards and not counts[best]:
        raise Problem(
            "remote.deploy.no_kernels",
            ExitCode.CONFIG,
            cards=_card_names(facts),
            have=f"{cuda[0]}.{cuda[1]}",
        )
    driver = ".".join(map(str, facts.driver)) or "?"
    key = "remote.torch.by_driver_and_card" if cards else "remote.torch.by_driver"
    known = {"build": best, "driver": driver, "cuda": f"{cuda[0]}.{cuda[1]}"}
    return TorchChoice(best, text(key, **known, **({"cards": _card_names(facts)} if cards else {})))


def _choose_without_driver(facts: ServerFacts) -> TorchChoice:
    # What stands was chosen when the driver could be asked; a server in its mode without a GPU
    # keeps it for the day when it has one again.
    standing = str(facts.environment.get("build", ""))
    if standing in TORCH_BUILDS and standing != "cpu":
        return TorchChoice(standing, text("remote.torch.as_before", build=standing))
    if is_without_gpu(facts):
        return TorchChoice("cpu", text("remote.torch.no_gpu"))
    # cu128 runs on every CUDA 12 and 13 driver and has kernels for each card since Turing.
    return TorchChoice("cu128", text("remote.torch.gpu_later", build="cu128"))


def is_without_gpu(facts: ServerFacts) -> bool:
    """Whether this machine has no NVIDIA driver at all.

    A driver that answers with an error, or a provider that rents GPUs, is a server in its mode
    without a GPU: it will have one when it trains.
    """
    silent = all(issue.code == "remote.gpu.not_installed" for issue in facts.gpu_issues)
    rented = facts.provider_marks - {"wsl", "slurm", "network_turbo"}
    return not facts.gpus and silent and not facts.driver and not rented


def check_system(facts: ServerFacts) -> None:
    """Problem where no wheel of torch fits the machine or its C library."""
    if facts.machine and facts.machine not in ("x86_64", "aarch64"):
        raise Problem("remote.deploy.other_machine", ExitCode.CONFIG, machine=facts.machine)
    if facts.libc == "musl":
        raise Problem("remote.deploy.musl", ExitCode.CONFIG, os=facts.os or facts.system)
    glibc = re.fullmatch(r"glibc (\d{1,3})\.(\d{1,3})", facts.libc)
    if glibc is not None and (int(glibc[1]), int(glibc[2])) < (2, OLDEST_GLIBC_MINOR):
        have = f"{glibc[1]}.{glibc[2]}"
        raise Problem("remote.deploy.old_glibc", ExitCode.CONFIG, have=have, os=facts.os or "Linux")


def runs_cuda(driver_cuda: tuple[int, int], build: str) -> bool:
    """Whether a driver runs a build: those of its own and of older major versions of CUDA."""
    major = TORCH_BUILDS[build].cuda_major
    return major is None or driver_cuda[0] >= major


def has_kernels(kernels: Iterable[float], card: float) -> bool:
    """Whether compiled kernels run on a card: the same major, a minor that is not higher."""
    return any(int(kernel) == int(card) and kernel <= card for kernel in kernels)


def _count_served(build: str, machine: str, cards: Iterable[float]) -> int:
    kernels = TORCH_BUILDS[build].kernels.get(machine or "x86_64", ())
    return sum(has_kernels(kernels, card) for card in cards)


def why_not_reused(python: Interpreter, facts: ServerFacts) -> Text | None:
    """Return why an image's own torch cannot drive this server's GPU; None when it can.

    Its version is not looked at here. A torch without CUDA is right only where there is no GPU.
    """
    version = python.distributions.get("torch", "")
    known = {"python": python.path, "torch": version}
    if python.cuda is None:
        return None if is_without_gpu(facts) else text("remote.torch.image_cpu", **known)
    major, _, minor = python.cuda.partition(".")
    built = (int(major or 0), int(minor.partition(".")[0] or 0))
    if facts.driver_cuda is not None and built[0] > facts.driver_cuda[0]:
        have = f"{facts.driver_cuda[0]}.{facts.driver_cuda[1]}"
        return text("remote.torch.image_too_new", **known, cuda=python.cuda, have=have)
    kernels = image_kernels(version, built, facts.machine)
    lacking = [card for card in facts.compute_capabilities if not has_kernels(kernels, card)]
    if lacking:
        return text("remote.torch.image_kernels", **known, cards=_card_names(facts))
    return None


def image_kernels(version: str, cuda: tuple[int, int], machine: str) -> tuple[float, ...]:
    """Return the capabilities that a torch of any release was compiled for."""
    if cuda[0] >= 13:
        return TORCH_BUILDS["cu130"].kernels.get(machine or "x86_64", ())
    if cuda < (12, 8):
        return TORCH_BUILDS["cu126"].kernels.get(machine or "x86_64", ())
    kernels = TORCH_BUILDS["cu128"].kernels.get(machine or "x86_64", ())
    # Volta was in the builds for CUDA 12.8 and 12.9 from 2.8 to 2.10 only.
    volta = machine != "aarch64" and version.startswith(("2.8.", "2.9.", "2.10."))
    return (7.0, *kernels) if volta else kernels


def _card_names(facts: ServerFacts) -> str:
    names = [gpu.name or f"GPU {gpu.index}" for gpu in facts.gpus]
    cards = [f"{capability:.1f}" for capability in facts.compute_capabilities]
    shown = (f"{name} ({card})" for name, card in zip(names, cards, strict=False))
    return ", ".join(dict.fromkeys(chain(shown, cards[len(names) :])))
