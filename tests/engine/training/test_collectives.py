"""How training processes meet: chosen beforehand, a person's settings kept, faults told apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch.distributed as dist
from micro_stage import Record

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.runs import launch_workers
from sovdeck.engine.runtime.collectives import (
    CollectiveSettings,
    choose_collective_settings,
    free_shared_memory,
)
from sovdeck.engine.runtime.device import Device
from sovdeck.engine.runtime.distributed import is_peer_lost, peers_problem
from sovdeck.engine.runtime.signals import StopFlag
from sovdeck.engine.training.context import Export, RunContext, StageOutcome

MIB = 1 << 20
RENTED = ("lo", "eth0", "tun0")
NCCL_SHM = (
    "NCCL error: unhandled system error. Last error: Error while creating shared memory segment "
    "/dev/shm/nccl-Vk3 (size 9637888)"
)


def choose(
    gpu: str = "NVIDIA A100-SXM4-40GB",
    processes: int = 2,
    shared: int | None = 8192 * MIB,
    environment: Mapping[str, str] | None = None,
    interfaces: tuple[str, ...] = RENTED,
    kind: str = "cuda",
) -> CollectiveSettings:
    return choose_collective_settings(processes, kind, gpu, environment or {}, interfaces, shared)


def test_processes_of_one_machine_meet_at_its_loopback() -> None:
    settings = choose()
    assert settings.variables == {
        "NCCL_IB_DISABLE": "1",
        "GLOO_SOCKET_IFNAME": "lo",
        "NCCL_SOCKET_IFNAME": "lo",
    }
    assert settings.notices == ()
    assert "GLOO_SOCKET_IFNAME" not in choose(interfaces=("eth0",)).variables


@pytest.mark.parametrize(
    "name", ["NCCL_IB_DISABLE", "GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME", "NCCL_SHM_DISABLE"]
)
def test_what_a_person_set_stays(name: str) -> None:
    settings = choose(shared=MIB, environment={name: "theirs"})
    assert name not in settings.variables
    assert len(settings.variables) == 3


@pytest.mark.parametrize("name", ["NCCL_P2P_DISABLE", "NCCL_P2P_LEVEL"])
def test_cards_that_cannot_read_each_other_are_not_asked_to(name: str) -> None:
    card = "NVIDIA GeForce RTX 4090"
    assert choose(card).variables["NCCL_P2P_DISABLE"] == "1"
    assert "NCCL_P2P_DISABLE" not in choose(card, environment={name: "0"}).variables
    assert "NCCL_P2P_DISABLE" not in choose("NVIDIA GeForce RTX 3090").variables


@pytest.mark.parametrize(
    ("processes", "shared", "enough"),
    [(2, 64, False), (2, 80, True), (8, 256, False), (8, 1024, True), (2, None, False)],
)
def test_a_small_shared_memory_is_known_beforehand(
    processes: int, shared: int | None, enough: bool
) -> None:
    free = None if shared is None else shared * MIB
    settings = choose(processes=processes, shared=free)
    assert ("NCCL_SHM_DISABLE" not in settings.variables) is enough
    assert [one.key for one in settings.notices] == (
        [] if enough else ["engine.run.small_shared_memory"]
    )
    assert choose(processes=processes, shared=free, kind="cpu").notices == ()


def test_a_lack_of_memory_is_no_lost_peer() -> None:
    shm, gpu, gone = (
        dist.DistBackendError(words)
        for words in (NCCL_SHM, "Failed to CUDA calloc 536870912 bytes", "connection closed")
    )
    assert [is_peer_lost(one) for one in (shm, gpu, gone)] == [False, False, True]
    keys = [peers_problem(one, 2).key for one in (shm, gpu, gone)]
    assert keys == [
        "engine.run.no_shared_memory",
        "engine.run.no_room_for_peers",
        "engine.run.peers_silent",
    ]
    assert peers_problem(shm, 2).exit_code is ExitCode.MEMORY
    assert "--shm-size" in peers_problem(shm, 2).hint.en
    assert peers_problem(RuntimeError(), 2).facts["why"] == "RuntimeError"


def test_this_machines_shared_memory_can_be_asked() -> None:
    free = free_shared_memory()
    assert free is None or free >= 0


OUTCOME = StageOutcome("gpt", 8, 1.0, 3.0, 2.0, 3.0, 2.0, 0.5, Export(Path("a"), "gpt", 5, "00"))


def started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, endings: list[Problem | None]
) -> tuple[list[dict[str, str]], Record, Any]:
    """What each start of the processes was given, what was said, and how it came out."""
    given: list[dict[str, str]] = []

    def run(context: Any, stage: str, count: int, variables: Any, timeouts: Any) -> StageOutcome:
        given.append(dict(variables))
        ending = endings.pop(0)
        if ending is not None:
            raise ending
        return OUTCOME

    monkeypatch.setattr(launch_workers, "_run_torchrun", run)
    monkeypatch.setattr(launch_workers, "free_shared_memory", lambda: 8192 * MIB)
    record = Record()
    card = Device("cuda", "NVIDIA GeForce RTX 3090", 24 << 30)
    context = RunContext(
        RunSpec("r1", "Mei", "tiny"), Layout.at(tmp_path.as_posix()), record, StopFlag(), card
    )
    try:
        result: Any = launch_workers.run_workers(context, "gpt", 2)
    except Problem as problem:
        result = problem
    return given, record, result


def silent() -> Problem:
    return peers_problem(RuntimeError("timed out"), 2)


def test_gpus_that_cannot_sum_are_tried_once_more_without_peer_access(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("NCCL_P2P_DISABLE", raising=False)
    monkeypatch.delenv("NCCL_P2P_LEVEL", raising=False)
    given, record, result = started(monkeypatch, tmp_path, [silent(), None])
    assert result is OUTCOME
    assert ["NCCL_P2P_DISABLE" in one for one in given] == [False, True]
    assert record.codes() == ["engine.run.no_peer_access"]

    given, _, result = started(monkeypatch, tmp_path, [silent(), silent()])
    assert len(given) == 2 and result.key == "engine.run.peers_silent"


def test_no_second_try_where_it_would_not_help(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("NCCL_P2P_DISABLE", raising=False)
    lack = peers_problem(RuntimeError(NCCL_SHM), 2)
    given, record, result = started(monkeypatch, tmp_path, [lack])
    assert len(given) == 1 and result is lack and record.codes() == []
    monkeypatch.setenv("NCCL_P2P_DISABLE", "0")
    given, _, _ = started(monkeypatch, tmp_path, [silent()])
    assert len(given) == 1
