"""What a server's facts mean, in plain sentences with what to do. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.contract.catalogue import Text, hint, text
from remote.facts import Interpreter, ServerFacts
from remote.needs import ENVIRONMENT_BYTES, ENVIRONMENT_FILES, GIB, REUSED, RUN_BYTES
from remote.profiles import RUNPOD_PROXY
from remote.requirement import satisfies
from remote.telemetry import explain

_SKEW_TOLD_S = 30.0
_SLOW = 200 << 10

Level = Literal["good", "note", "warning", "bad"]


@dataclass(frozen=True)
class Finding:
    """One sentence of the verdict and what to do about it (`hint` may be empty)."""

    level: Level
    message: Text
    hint: Text


def verdict(facts: ServerFacts, host: str = "") -> tuple[Finding, ...]:
    """What the facts mean, in plain sentences; the bad ones first."""
    found = [*_machine(facts), *_gpus(facts), *_disks(facts), *_python(facts), *_paths(facts, host)]
    order = ("bad", "warning", "good", "note")
    return tuple(sorted(found, key=lambda finding: order.index(finding.level)))


def _say(level: Level, key: str, **facts: object) -> Finding:
    return Finding(level, text(key, **facts), hint(key, **facts))


def _machine(facts: ServerFacts) -> list[Finding]:
    found = []
    if facts.system and facts.system != "Linux":
        found.append(_say("bad", "remote.probe.not_linux", system=facts.system))
    gib = None if facts.memory_total is None else round(facts.memory_total / GIB)
    found.append(
        _say("note", "remote.probe.system", os=facts.os or facts.system, user=facts.user,
             cpus=facts.cpus or "?", gib="?" if gib is None else gib)
    )  # fmt: skip
    if gib is not None and gib < 6:
        found.append(_say("warning", "remote.probe.memory_low", gib=gib))
    if facts.skew is not None and abs(facts.skew) > _SKEW_TOLD_S:
        found.append(_say("note", "remote.probe.clock", seconds=round(facts.skew)))
    return found


def _gpus(facts: ServerFacts) -> list[Finding]:
    found = []
    names = [gpu.name or f"GPU {gpu.index}" for gpu in facts.gpus]
    if names:
        found.append(_say("good", "remote.probe.gpu_ready", gpus=", ".join(names)))
    else:
        found.append(_say("warning", "remote.probe.gpu_none"))
    for fault in facts.faults:
        if names or fault.code != "remote.gpu.not_installed":
            found.append(Finding("warning", explain(fault), hint(fault.code)))
    for gpu in facts.gpus:
        held = gpu.memory_used
        if held is not None and held > GIB:
            found.append(
                _say("warning", "remote.probe.gpu_shared", gpu=gpu.index, gib=round(held / GIB, 1))
            )
        slices = [s.profile for s in facts.slices if s.gpu_uuid == gpu.uuid]
        if slices:
            listed = ", ".join(slices)
            found.append(_say("note", "remote.probe.gpu_mig", gpu=gpu.index, slices=listed))
    return found


def _disks(facts: ServerFacts) -> list[Finding]:
    found = []
    need = (ENVIRONMENT_BYTES + RUN_BYTES) // GIB
    for disk in facts.disks:
        if not disk.writable:
            continue
        if disk.free is not None:
            low = disk.free < ENVIRONMENT_BYTES + RUN_BYTES
            key = "remote.probe.disk_low" if low else "remote.probe.disk"
            gib = disk.free // GIB
            found.append(
                _say("warning" if low else "note", key, path=disk.path, gib=gib, need=need)
            )
        if disk.inodes_free is not None and 0 < disk.inodes_free < ENVIRONMENT_FILES:
            found.append(
                _say("warning", "remote.probe.inodes_low", path=disk.path, count=disk.inodes_free)
            )
    work = facts.disk(facts.work) if facts.work else None
    if work is not None and not work.writable and not facts.identity:
        found.append(_say("bad", "remote.probe.not_writable", path=work.path))
    return found


def _python(facts: ServerFacts) -> list[Finding]:
    def torch(python: Interpreter) -> str:
        version = python.distributions.get("torch", "")
        return version if version and satisfies(version, REUSED["torch"]) else ""

    best = next((python for python in facts.pythons if torch(python)), None)
    if best is None:
        return [_say("note", "remote.probe.python_none")]
    return [_say("good", "remote.probe.python", python=best.path, torch=torch(best))]


def _paths(facts: ServerFacts, host: str) -> list[Finding]:
    found = []
    if host == RUNPOD_PROXY:
        found.append(_say("bad", "remote.probe.runpod_proxy"))
    elif facts.sftp is False:
        found.append(_say("warning", "remote.probe.no_sftp"))
    for source in facts.sources:
        if not source.reached:
            found.append(_say("warning", "remote.probe.source_bad", url=source.url))
        elif source.speed is not None and source.speed < _SLOW:
            kib = round(source.speed / 1024)
            found.append(_say("warning", "remote.probe.source_slow", url=source.url, kib=kib))
    return found
