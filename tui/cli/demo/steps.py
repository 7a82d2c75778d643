"""The steps of the demo: prepare the server, train, download, check, summarise."""

from __future__ import annotations

import threading
import time
import wave
from pathlib import Path

from sovdeck.engine.contract.atomic_io import file_sha256
from sovdeck.engine.contract.format import format_bytes, format_short_duration
from sovdeck.engine.contract.layout import Layout
from sovdeck.remote.deploy import StepReport
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.voices.dataset import push_recordings
from sovdeck.remote.voices.download import DownloadedVoice, download_voice
from sovdeck.remote.voices.run_spec import make_run_spec
from sovdeck.remote.voices.transfer_options import TransferOptions
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.demo.checks import DemoResult, DemoVoice, failed_checks
from sovdeck.tui.cli.follow_run import FollowedRun
from sovdeck.tui.cli.transfer_output import progress_reporter
from sovdeck.tui.practice.local_server import (
    PRACTICE_SERVER,
    PRACTICE_VOICE,
    PracticeDataset,
    PracticeEnvironment,
)


def prepare_server(environment: PracticeEnvironment, console: Console) -> tuple[ServerSession, int]:
    """Make the dataset, start the server, deploy twice, push.

    Returns the open session and how much the second deploy uploaded.
    """
    console.print_message("tui.demo.server_up", line=environment.ssh_line)
    environment.write_project()
    dataset = environment.make_dataset()
    console.print_message("tui.demo.dataset", clips=dataset.clips, seconds=round(dataset.seconds))
    environment.add_server()
    console.print_message(
        "tui.demo.added", name=PRACTICE_SERVER, fingerprint=environment.server.fingerprint
    )
    session = environment.open_session()
    uploads = [_deploy(session), _deploy(session)]
    console.print_message("tui.demo.deployed", first=uploads[0], second=uploads[1])
    _push(session, dataset, console)
    return session, uploads[1]


def _deploy(session: ServerSession) -> int:
    uploads = 0

    def report(step: StepReport) -> None:
        nonlocal uploads
        uploads += step.name == "code" and step.state == "done"

    session.deploy(report)
    return uploads


def _push(session: ServerSession, dataset: PracticeDataset, console: Console) -> None:
    options = TransferOptions(progress_reporter(console), threading.Event())
    pushed = push_recordings(session, dataset.recordings, options)
    console.print_message(
        "tui.demo.pushed",
        sent=pushed.sent_files,
        size=format_bytes(pushed.sent_bytes),
        kept=pushed.kept_files,
    )


def start_training(session: ServerSession, console: Console) -> job_client.RunHandle:
    """Start the supervised run; it goes on without us."""
    train = session.config.train
    spec = make_run_spec(session, PRACTICE_VOICE, train.preset, train.params, from_nothing=True)
    handle = session.start(spec).handle
    console.print_message("tui.demo.started", run=handle.run_id)
    return handle


def download(
    session: ServerSession, environment: PracticeEnvironment, console: Console
) -> DownloadedVoice:
    """Download the packed voice over SFTP, verified, and unpack it."""
    return download_voice(
        session,
        PRACTICE_VOICE,
        environment.outputs,
        TransferOptions(progress_reporter(console), threading.Event()),
    )


def check_result(
    followed: FollowedRun, downloaded: DownloadedVoice | None, second_uploads: int, started: float
) -> DemoResult:
    """Run the checks on what was downloaded."""
    voice = proof = None
    if downloaded is not None:
        voice = DemoVoice(
            str(downloaded.zip),
            downloaded.bytes,
            downloaded.sha256 or "",
            downloaded.verified,
            downloaded.archive_names(),
        )
        proof = next((path for path in downloaded.files if path.name == "proof.wav"), None)
    failures = failed_checks(
        followed.state, followed.job.state, voice, wav_seconds(proof), second_uploads
    )
    return DemoResult(
        followed.state,
        followed.job.state,
        time.monotonic() - started,
        voice,
        str(proof) if proof else None,
        second_uploads,
        failures,
    )


def wav_seconds(wav: Path | None) -> float:
    """Length of a wav file in seconds; 0 where there is none or it cannot be read."""
    if wav is None:
        return 0.0
    try:
        with wave.open(str(wav), "rb") as sound:
            return sound.getnframes() / sound.getframerate()
    except (OSError, wave.Error, EOFError):
        return 0.0


def print_summary(
    result: DemoResult, kept_work: Layout | None, outputs: Path, console: Console
) -> None:
    """Print what was done, what it proves and what it does not.

    kept_work: the server's work folder, when it is kept.
    """
    for stage in result.state.stages:
        if stage.name in ("sovits", "gpt") and stage.last_loss is not None:
            console.print_message(
                "tui.demo.stage",
                name=stage.name,
                updates=stage.updates,
                first=f"{stage.first_loss:.3f}",
                last=f"{stage.last_loss:.3f}",
            )
    if result.voice is not None:
        console.print_message(
            "tui.demo.voice",
            zip=result.voice.zip,
            size=format_bytes(result.voice.bytes),
            sha256=result.voice.sha256,
        )
        for name in result.voice.files:
            digest = file_sha256(outputs / PRACTICE_VOICE / name)
            console.print_line(f"    {digest[:16]}  {name}")
    if result.proof_wav:
        console.print_message("tui.demo.proof", path=result.proof_wav)
    console.print_message(
        "tui.demo.places", seconds=format_short_duration(result.seconds), outputs=str(outputs)
    )
    if kept_work is not None:
        console.print_message("tui.demo.kept", work=str(kept_work.work))
    console.print_message("tui.demo.honest")
    for name in result.failures:
        console.print_error(f"broken promise: {name}")
