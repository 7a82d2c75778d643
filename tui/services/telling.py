"""Turns what `remote` says into what the store holds."""

from __future__ import annotations

from dataclasses import replace

from engine.contract.catalogue import hint
from remote.deploy import Deployed
from remote.facts import ServerFacts as Probed
from remote.job_state import JobState
from remote.studio import Studio
from remote.telemetry import Sample, explain
from remote.transfer.progress import Progress
from remote.verdict import Finding, verdict
from tui.state.facts import GpuFacts, GpuReading, Remark, ServerFacts, Telemetry
from tui.state.work import JobStatus, Transfer


def remark(finding: Finding) -> Remark:
    return Remark(finding.level, finding.message, finding.hint)


def server_facts(
    facts: Probed, findings: tuple[Remark, ...], deployed: Deployed | None
) -> ServerFacts:
    """A probe as the dashboard shows it; the disk is the one the work folder lies on."""
    work = str(deployed.layout.work) if deployed else ""
    disk = facts.disk(work) or (facts.disks[0] if facts.disks else None)
    best = max(facts.pythons, key=lambda python: python.version, default=None)
    return ServerFacts(
        gpus=tuple(GpuFacts(gpu.name or "GPU", gpu.memory_total) for gpu in facts.gpus),
        disk_free=disk.free if disk else None,
        disk_total=disk.total if disk else None,
        ram_total=facts.memory_total,
        cpus=facts.cpus,
        python=".".join(map(str, best.version)) if best else None,
        system=facts.os or facts.system or None,
        deployed=deployed.code_sha[:12] if deployed else None,
        verdict=findings,
    )


def judged_facts(studio: Studio) -> ServerFacts:
    """Probe the server and judge it; one round trip."""
    facts = studio.facts()
    found = verdict(facts, studio.link().spec.host)
    return server_facts(facts, tuple(map(remark, found)), studio.standing())


def telemetry(sample: Sample) -> Telemetry:
    machine = sample.machine
    return Telemetry(
        t=sample.t,
        source=sample.source if sample.gpus else machine.memory_source,
        gpus=tuple(
            GpuReading(
                gpu.key, gpu.name or "", gpu.memory_used, gpu.memory_total, None,
                gpu.utilisation, gpu.temperature,
            )
            for gpu in sample.gpus
        ),
        ram_used=machine.memory_used,
        ram_total=machine.memory_total,
        cpu_percent=machine.cpu,
        # A server without nvidia-smi has no fault: its figures say that they are the host's.
        faults=tuple(
            Remark("warning", explain(fault), hint(fault.code))
            for fault in sample.faults if sample.gpus or fault.code != "remote.gpu.not_installed"
        ),
    )  # fmt: skip


def job_status(server: str, state: JobState) -> JobStatus:
    return JobStatus(
        server, state.run, state.state, voice_of(state.run), state.code,  # type: ignore[arg-type]
        detail=state.why,
    )  # fmt: skip


def voice_of(run: str) -> str:
    """The voice in a run id of ours (`20261122-141530-Anna`); the id itself otherwise."""
    parts = run.split("-", 2)
    dated = len(parts) == 3 and parts[0].isdigit() and parts[1].isdigit()
    return parts[2] if dated else run


def moved(row: Transfer, progress: Progress) -> Transfer:
    """The row after a report of its transfer."""
    return replace(
        row, phase=progress.phase, done=progress.done, total=progress.total,
        bytes_per_second=progress.bytes_per_second, eta_s=progress.eta_s,
        retries=progress.retries,
    )  # fmt: skip
