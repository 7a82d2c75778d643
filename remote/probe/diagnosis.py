"""What a server's facts mean, in plain sentences with what to do. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sovdeck.engine.contract.catalogue import Text, hint, text
from sovdeck.engine.contract.http_download import url_host
from sovdeck.remote.probe.engine_requirements import (
    ENVIRONMENT_BYTES,
    ENVIRONMENT_FILES,
    GIB,
    REUSABLE_REQUIREMENTS,
    RUN_BYTES,
    satisfies,
)
from sovdeck.remote.probe.facts import Interpreter, ServerFacts
from sovdeck.remote.probe.providers import RUNPOD_PROXY, STOP_SHOWN, ProviderProfile
from sovdeck.remote.probe.telemetry import issue_text
from sovdeck.remote.probe.work_folder import rank_disks

_SKEW_REPORTED_S = 30.0
_SLOW_BYTES_PER_S = 200 << 10
_SESSIONS_TRIED = 3

Level = Literal["good", "note", "warning", "bad"]


@dataclass(frozen=True)
class Diagnosis:
    """One finding about a server and what to do about it (`hint` may be empty)."""

    level: Level
    message: Text
    hint: Text

    def as_json(self) -> dict[str, object]:
        """Return it as a record for programs."""
        return {"level": self.level, "message": self.message.as_json(), "hint": self.hint.as_json()}


def diagnose(
    facts: ServerFacts, host: str = "", profile: ProviderProfile | None = None
) -> tuple[Diagnosis, ...]:
    """Return what the facts mean, in plain sentences; the bad ones first.

    host: the name the server is reached by, since some providers' proxies have limits. profile:
    adds what its provider keeps, how it is switched off, and what one should know of it.
    """
    found = [
        *_check_gpus(facts),
        *_check_python(facts),
        *_check_weights(facts),
        *_check_disks(facts, profile),
        *(_check_provider(facts, profile) if profile is not None else ()),
        *_check_machine(facts),
        *_check_network(facts),
        *diagnose_access(facts, host),
    ]
    order = ("bad", "warning", "good", "note")
    return tuple(sorted(found, key=lambda diagnosis: order.index(diagnosis.level)))


def diagnose_access(facts: ServerFacts, host: str = "") -> tuple[Diagnosis, ...]:
    """Return what the connection allows: commands, files, several things at once."""
    found = [_make_diagnosis("good", "remote.probe.runs_commands", shell=facts.shell or "sh")]
    if facts.preamble:
        said = facts.preamble[:60]
        found.append(_make_diagnosis("warning", "remote.probe.shell_talks", said=said))
    if host == RUNPOD_PROXY:
        found.append(_make_diagnosis("bad", "remote.probe.runpod_proxy"))
    elif facts.sftp is not None:
        key = "remote.probe.sftp" if facts.sftp else "remote.probe.no_sftp"
        found.append(_make_diagnosis("good" if facts.sftp else "warning", key))
    if facts.sessions is not None:
        many = facts.sessions >= _SESSIONS_TRIED
        key = "remote.probe.sessions" if many else "remote.probe.few_sessions"
        level: Level = "good" if many else "warning"
        found.append(_make_diagnosis(level, key, count=facts.sessions))
    return tuple(found)


def diagnose_first_contact(
    facts: ServerFacts, host: str, profile: ProviderProfile
) -> tuple[Diagnosis, ...]:
    """Return what is worth knowing of a server that was just added, in the order it matters."""
    return (
        *diagnose_access(facts, host),
        *_check_gpus(facts),
        *_check_provider(facts, profile),
    )


def _check_provider(facts: ServerFacts, profile: ProviderProfile) -> list[Diagnosis]:
    if profile.name == "plain":
        found = [_make_diagnosis("note", "remote.probe.provider_unknown")]
    else:
        key = "remote.probe.provider" if profile.stop else "remote.probe.provider_no_stop"
        how = STOP_SHOWN.get(profile.stop, "")
        found = [_make_diagnosis("note", key, provider=profile.name, how=how)]
    ranked = rank_disks(facts, profile)
    disk = facts.disk(facts.work) if facts.work else ranked[0] if ranked else None
    if disk is not None:
        found.append(Diagnosis("note", profile.kept_text(disk.path, disk.mount), Text("", "")))
    found += [_make_diagnosis("note", key) for key in profile.warnings]
    if "slurm" in facts.provider_marks and not facts.gpus:
        found.append(_make_diagnosis("warning", "remote.probe.slurm_login"))
    return found


def _check_weights(facts: ServerFacts) -> list[Diagnosis]:
    if not facts.work:
        return []
    if not facts.pretrained:
        return [_make_diagnosis("note", "remote.probe.weights_none")]
    return [
        _make_diagnosis("good", "remote.probe.weights", sets=", ".join(sorted(facts.pretrained)))
    ]


def _make_diagnosis(level: Level, key: str, **facts: object) -> Diagnosis:
    return Diagnosis(level, text(key, **facts), hint(key, **facts))


def _check_machine(facts: ServerFacts) -> list[Diagnosis]:
    found = []
    if facts.system and facts.system != "Linux":
        found.append(_make_diagnosis("bad", "remote.probe.not_linux", system=facts.system))
    gib = None if facts.memory_total is None else round(facts.memory_total / GIB)
    found.append(
        _make_diagnosis(
            "note",
            "remote.probe.system",
            os=facts.os or facts.system,
            user=facts.user,
            cpus=facts.cpus or "?",
            gib="?" if gib is None else gib,
        )
    )
    if facts.core_speed is not None:
        found.append(
            _make_diagnosis(
                "note",
                "remote.probe.core_speed",
                speed=round(facts.core_speed, 1),
                model=facts.cpu_model or "?",
            )
        )
    if gib is not None and gib < 6:
        found.append(_make_diagnosis("warning", "remote.probe.memory_low", gib=gib))
    if facts.clock_skew is not None and abs(facts.clock_skew) > _SKEW_REPORTED_S:
        found.append(_make_diagnosis("note", "remote.probe.clock", seconds=round(facts.clock_skew)))
    return found


def _check_gpus(facts: ServerFacts) -> list[Diagnosis]:
    found = []
    names = [gpu.name or f"GPU {gpu.index}" for gpu in facts.gpus]
    if names:
        found.append(
            _make_diagnosis(
                "good",
                "remote.probe.gpu_ready",
                gpus=", ".join(names),
                driver=".".join(map(str, facts.driver)) or "?",
                cuda=".".join(map(str, facts.driver_cuda or ())) or "?",
            )
        )
    elif all(issue.code == "remote.gpu.not_installed" for issue in facts.gpu_issues):
        found.append(_make_diagnosis("warning", "remote.probe.gpu_none"))
    for issue in facts.gpu_issues:
        if names or issue.code != "remote.gpu.not_installed":
            found.append(Diagnosis("warning", issue_text(issue), hint(issue.code)))
    for gpu in facts.gpus:
        used = gpu.memory_used
        if used is not None and used > GIB:
            found.append(
                _make_diagnosis(
                    "warning", "remote.probe.gpu_shared", gpu=gpu.index, gib=round(used / GIB, 1)
                )
            )
        slices = [s.profile for s in facts.mig_instances if s.gpu_uuid == gpu.uuid]
        if slices:
            listed = ", ".join(slices)
            found.append(
                _make_diagnosis("note", "remote.probe.gpu_mig", gpu=gpu.index, slices=listed)
            )
    return found


def _check_disks(facts: ServerFacts, profile: ProviderProfile | None) -> list[Diagnosis]:
    found = []
    need = (ENVIRONMENT_BYTES + RUN_BYTES) // GIB
    work = facts.disk(facts.work) if facts.work else None
    ranked = rank_disks(facts, profile) if profile is not None else facts.disks
    shown = (work,) if work is not None else ranked[:1] if profile is not None else ranked
    for disk in dict.fromkeys(shown):
        if not disk.writable:
            continue
        if disk.free is not None:
            low = disk.free < ENVIRONMENT_BYTES + RUN_BYTES
            key = "remote.probe.disk_low" if low else "remote.probe.disk"
            gib = disk.free // GIB
            found.append(
                _make_diagnosis(
                    "warning" if low else "note", key, path=disk.path, gib=gib, need=need
                )
            )
        if disk.inodes_free is not None and 0 < disk.inodes_free < ENVIRONMENT_FILES:
            found.append(
                _make_diagnosis(
                    "warning", "remote.probe.inodes_low", path=disk.path, count=disk.inodes_free
                )
            )
    if work is not None and not work.writable and not facts.server_id:
        found.append(_make_diagnosis("bad", "remote.probe.not_writable", path=work.path))
    return found


def _check_python(facts: ServerFacts) -> list[Diagnosis]:
    def torch_version(python: Interpreter) -> str:
        version = python.distributions.get("torch", "")
        return version if version and satisfies(version, REUSABLE_REQUIREMENTS["torch"]) else ""

    best = next((python for python in facts.pythons if torch_version(python)), None)
    if best is None:
        return [_make_diagnosis("note", "remote.probe.python_none")]
    return [
        _make_diagnosis("good", "remote.probe.python", python=best.path, torch=torch_version(best))
    ]


def _check_network(facts: ServerFacts) -> list[Diagnosis]:
    found = []
    reached = [url_host(source.url) for source in facts.sources if source.reached]
    if reached:
        found.append(_make_diagnosis("good", "remote.probe.sources", hosts=", ".join(reached)))
    for source in facts.sources:
        if not source.reached:
            found.append(
                _make_diagnosis("note", "remote.probe.source_bad", url=url_host(source.url))
            )
        elif source.speed is not None and source.speed < _SLOW_BYTES_PER_S:
            kib = round(source.speed / 1024)
            found.append(
                _make_diagnosis("warning", "remote.probe.source_slow", url=source.url, kib=kib)
            )
    if facts.sources and not reached:
        found.append(_make_diagnosis("warning", "remote.probe.sources_none"))
    return found
