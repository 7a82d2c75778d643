"""The demo's acts, one function each: prepare the server, train, bring home, sum up."""

from __future__ import annotations

import hashlib
import threading
import time
import wave
from datetime import datetime
from pathlib import Path

from engine.contract.layout import Layout
from engine.contract.spec import RunSpec
from remote import job
from remote.deploy import StepReport
from remote.homecoming import Home, bring_home
from remote.recordings import places
from remote.studio import Studio
from remote.transfer.push import push
from tui.console import Console, duration, size
from tui.demo.promises import Outcome, Voice, broken
from tui.demo.scene import SERVER, VOICE, Dataset, Scene
from tui.following import Ended
from tui.moving import show_progress
from tui.verbs.train import run_id


def prepare(scene: Scene, console: Console) -> tuple[Studio, int]:
    """Dataset, server, deploy twice, push. Returns the open studio and the second uploads."""
    console.say("tui.demo.server_up", line=scene.ssh_line)
    scene.write_project()
    dataset = scene.make_dataset()
    console.say("tui.demo.dataset", clips=dataset.clips, seconds=round(dataset.seconds))
    scene.add_server()
    console.say("tui.demo.added", name=SERVER, fingerprint=scene.server.fingerprint)
    studio = scene.studio()
    uploads = [_deploy(studio), _deploy(studio)]
    console.say("tui.demo.deployed", first=uploads[0], second=uploads[1])
    _push(studio, dataset, console)
    return studio, uploads[1]


def _deploy(studio: Studio) -> int:
    uploads = 0

    def report(step: StepReport) -> None:
        nonlocal uploads
        uploads += step.name == "code" and step.state == "done"

    studio.deploy(report)
    return uploads


def _push(studio: Studio, dataset: Dataset, console: Console) -> None:
    folder = studio.layout().dataset(VOICE)
    pushed = push(
        studio.connect, dataset.recordings.files, str(folder),
        report=show_progress(console), cancel=threading.Event(),
    )  # fmt: skip
    console.say(
        "tui.demo.pushed", sent=pushed.sent_files, size=size(pushed.sent_bytes),
        kept=pushed.kept_files,
    )  # fmt: skip


def launch(studio: Studio, console: Console) -> job.RunHandle:
    """Start the supervised run; from here on it needs nobody."""
    train = studio.config.train
    list_file, wav_folder = places(studio.layout(), VOICE)
    spec = RunSpec(
        run=run_id(VOICE, datetime.now()), voice=VOICE, preset=train.preset,
        list_file=list_file, wav_folder=wav_folder, params=train.params,
    )  # fmt: skip
    handle = job.start(studio.link(), studio.deployed(), spec)
    console.say("tui.demo.started", run=handle.run)
    return handle


def fetch(studio: Studio, scene: Scene, console: Console) -> Home:
    """Pull the packed voice over SFTP, verified, and unpack it."""
    return bring_home(
        studio.connect, studio.link(), studio.deployed(), VOICE, scene.outputs,
        report=show_progress(console), cancel=threading.Event(),
    )  # fmt: skip


def outcome(ended: Ended, home: Home | None, second_uploads: int, started: float) -> Outcome:
    """Judge what came home; every broken promise is named."""
    voice = proof = None
    if home is not None:
        voice = Voice(str(home.zip), home.bytes, home.sha256 or "", home.verified, home.names())
        proof = next((path for path in home.files if path.name == "proof.wav"), None)
    failures = broken(ended.state, ended.job.state, voice, seconds_of(proof), second_uploads)
    return Outcome(
        ended.state, ended.job.state, time.monotonic() - started, voice,
        str(proof) if proof else None, second_uploads, failures,
    )  # fmt: skip


def seconds_of(wav: Path | None) -> float:
    """Length of a wav file; 0 where there is none or it is none."""
    if wav is None:
        return 0.0
    try:
        with wave.open(str(wav), "rb") as sound:
            return sound.getnframes() / sound.getframerate()
    except (OSError, wave.Error, EOFError):
        return 0.0


def digests(voice: Voice, folder: Path) -> dict[str, str]:
    """SHA-256 of each unpacked file, by its name in the archive."""
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in voice.files}


def summary(found: Outcome, kept_work: Layout | None, outputs: Path, console: Console) -> None:
    """The plain end: what was done, what it proves and what it does not.

    kept_work: the server's work folder, when it stays.
    """
    for stage in found.state.stages:
        if stage.name in ("sovits", "gpt") and stage.last_loss is not None:
            console.say(
                "tui.demo.stage", name=stage.name, updates=stage.updates,
                first=f"{stage.first_loss:.3f}", last=f"{stage.last_loss:.3f}",
            )  # fmt: skip
    if found.voice is not None:
        console.say(
            "tui.demo.voice", zip=found.voice.zip, size=size(found.voice.bytes),
            sha256=found.voice.sha256,
        )  # fmt: skip
        hashes = digests(found.voice, outputs / VOICE)
        for name in found.voice.files:
            console.write(f"    {hashes[name][:16]}  {name}")
    if found.proof_wav:
        console.say("tui.demo.proof", path=found.proof_wav)
    console.say("tui.demo.places", seconds=duration(found.seconds), outputs=str(outputs))
    if kept_work is not None:
        console.say("tui.demo.kept", work=str(kept_work.work))
    console.say("tui.demo.honest")
    for name in found.failures:
        console.error(f"broken promise: {name}")
