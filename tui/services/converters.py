"""Converts values of `remote` to those the store holds."""

from __future__ import annotations

from dataclasses import replace

from sovdeck.engine.contract.catalogue import hint
from sovdeck.remote.deploy import Deployed
from sovdeck.remote.jobs.run_ids import voice_of_run
from sovdeck.remote.jobs.state import JobState
from sovdeck.remote.probe.diagnosis import Diagnosis, diagnose
from sovdeck.remote.probe.facts import ServerFacts
from sovdeck.remote.probe.telemetry import TelemetrySample, issue_text
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.transfer.core.progress import TransferProgress
from sovdeck.tui.state.models import JobStatus, Transfer
from sovdeck.tui.state.server_models import GpuFacts, GpuReading, Remark, ServerSummary, Telemetry


def to_remark(finding: Diagnosis) -> Remark:
    """A diagnosis as the store holds it."""
    return Remark(finding.level, finding.message, finding.hint)


def server_summary(
    facts: ServerFacts, findings: tuple[Remark, ...], deployed: Deployed | None
) -> ServerSummary:
    """A probe as the dashboard shows it; the disk is the one the work folder lies on."""
    work = str(deployed.layout.work) if deployed else ""
    disk = facts.disk(work) or (facts.disks[0] if facts.disks else None)
    best = max(facts.pythons, key=lambda python: python.version, default=None)
    return ServerSummary(
        gpus=tuple(GpuFacts(gpu.name or "GPU", gpu.memory_total) for gpu in facts.gpus),
        disk_free=disk.free if disk else None,
        disk_total=disk.total if disk else None,
        ram_total=facts.memory_total,
        cpus=facts.cpus,
        python=".".join(map(str, best.version)) if best else None,
        system=facts.os or facts.system or None,
        deployed=deployed.code_sha[:12] if deployed else None,
        diagnosis=findings,
    )


def probe_server(session: ServerSession) -> ServerSummary:
    """Probe the server and diagnose it; one round trip."""
    facts = session.facts()
    findings = diagnose(facts, session.connection().spec.host, session.profile(facts))
    return server_summary(facts, tuple(map(to_remark, findings)), session.find_deployment())


def to_telemetry(sample: TelemetrySample) -> Telemetry:
    """A sample of telemetry as the store holds it."""
    machine = sample.machine
    return Telemetry(
        t=sample.t,
        source=sample.source if sample.gpus else machine.memory_source,
        gpus=tuple(
            GpuReading(
                gpu.key,
                gpu.name or "",
                gpu.memory_used,
                gpu.memory_total,
                None,
                gpu.utilisation,
                gpu.temperature,
            )
            for gpu in sample.gpus
        ),
        ram_used=machine.memory_used,
        ram_total=machine.memory_total,
        cpu_percent=machine.cpu,
        # A server without nvidia-smi has no fault: its telemetry names its source, the host.
        faults=tuple(
            Remark("warning", issue_text(fault), hint(fault.code))
            for fault in sample.gpu_issues
            if sample.gpus or fault.code != "remote.gpu.not_installed"
        ),
    )


def to_job_status(server: str, state: JobState) -> JobStatus:
    """The state of a run's process as the store holds it."""
    return JobStatus(
        server,
        state.run_id,
        state.state,  # type: ignore[arg-type]
        voice_of_run(state.run_id),
        state.code,
        detail=state.why,
    )


def with_progress(row: Transfer, progress: TransferProgress) -> Transfer:
    """The transfer after a report of its progress."""
    return replace(
        row,
        phase=progress.phase,
        done=progress.done,
        total=progress.total,
        bytes_per_second=progress.bytes_per_second,
        eta_s=progress.eta_s,
        retries=progress.retries,
    )
