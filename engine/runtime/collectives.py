"""How the training processes of one machine speak to each other: NCCL's and Gloo's settings.

Decided beforehand, from facts and for one host alone. A variable that a person has set stays.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from sovdeck.engine.contract.problem import ExitCode, Problem

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # only looked at: its room
# NCCL maps segments of 9.6 MB there, two channels in both directions for each process; a container
# has 64 MB in all unless it was started with more.
SHARED_MEMORY_A_PROCESS = 40 << 20
NO_PEER_ACCESS = {"NCCL_P2P_DISABLE": "1"}
_PEER_ACCESS = ("NCCL_P2P_DISABLE", "NCCL_P2P_LEVEL")  # either says what a person wants of it
# GeForce RTX 40xx cannot read each other's memory, and drivers were published that say they can:
# the first sum then hangs.
_NO_PEER_ACCESS_CARDS = ("RTX 40",)
_SHARED_MEMORY_WORDS = ("shared memory segment", "shm/nccl", "No space left on device")


@dataclass(frozen=True)
class CollectiveSettings:
    """Environment variables for the processes, and what a person should know of them."""

    variables: Mapping[str, str]
    notices: tuple[Problem, ...] = field(default=())


def choose_collective_settings(
    processes: int,
    device_kind: str,
    gpu_name: str,
    environment: Mapping[str, str],
    interfaces: Collection[str],
    shared_memory: int | None,
) -> CollectiveSettings:
    """Choose for `processes` on this machine's own GPUs, all of the kind `gpu_name`.

    interfaces: names of the network interfaces. shared_memory: free bytes of /dev/shm; None where
    there is none. By its own name, or by the first interface that comes, a rented machine leads
    into tunnels and foreign networks; so the processes meet at the loopback interface.
    """
    wanted: dict[str, str] = {"NCCL_IB_DISABLE": "1"}
    notices: list[Problem] = []
    loopback = next((name for name in ("lo", "lo0") if name in interfaces), None)
    if loopback is not None:
        wanted |= {"GLOO_SOCKET_IFNAME": loopback, "NCCL_SOCKET_IFNAME": loopback}
    if device_kind == "cuda":
        if may_give_up_peer_access(environment) and any(
            card in gpu_name for card in _NO_PEER_ACCESS_CARDS
        ):
            wanted |= NO_PEER_ACCESS
        need = processes * SHARED_MEMORY_A_PROCESS
        if (shared_memory or 0) < need and "NCCL_SHM_DISABLE" not in environment:
            wanted["NCCL_SHM_DISABLE"] = "1"
            notices.append(
                Problem(
                    "engine.run.small_shared_memory",
                    ExitCode.OK,
                    free=(shared_memory or 0) >> 20,
                    need=need >> 20,
                )
            )
    variables = {name: value for name, value in wanted.items() if name not in environment}
    return CollectiveSettings(variables, tuple(notices))


def may_give_up_peer_access(environment: Mapping[str, str]) -> bool:
    """Whether nobody has said yet how GPUs are to reach each other's memory."""
    return not any(name in environment for name in _PEER_ACCESS)


def lacks_shared_memory(error: BaseException) -> bool:
    """Whether `error` is that of a collective that found no room in /dev/shm."""
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in _SHARED_MEMORY_WORDS
    )


def free_shared_memory() -> int | None:
    """Free bytes of /dev/shm; None where there is none."""
    try:
        return shutil.disk_usage(SHARED_MEMORY).free
    except OSError:
        return None


def network_interfaces() -> tuple[str, ...]:
    """Names of this machine's network interfaces."""
    return tuple(psutil.net_if_addrs())
