"""Add, deploy, push, train, cut the line, reattach, pull, verify: on three kinds of server."""

from __future__ import annotations

import hashlib
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from servers import CutProxy, Place
from trip_steps import VOICE, Recorded, open_server, push_dataset

from sovdeck.engine.contract.fold import RunState, fold
from sovdeck.engine.contract.params import ParamValue
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.remote.autostop.keep import apply_keep, fetch_keep_status
from sovdeck.remote.config.sections import KeepSection
from sovdeck.remote.deploy import StepReport
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.jobs.run_summaries import fetch_summaries
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.voices.dataset import remote_dataset_paths
from sovdeck.remote.voices.download import download_voice
from sovdeck.remote.voices.transfer_options import TransferOptions
from sovdeck.tui.cli.demo.checks import DemoVoice, failed_checks
from sovdeck.tui.cli.demo.steps import wav_seconds

PARAMS: dict[str, ParamValue] = {
    "train.repeats": 1,
    "sovits.epochs": 3,
    "sovits.batch_size": 2,
    "gpt.epochs": 12,
    "gpt.batch_size": 2,
    "train.device": "cpu",
    "train.save_every_minutes": 0,
}

KINDS = [
    pytest.param("embedded", id="embedded"),
    pytest.param("sshd_v4", id="openssh-ipv4", marks=pytest.mark.sshd),
    pytest.param("sshd_v6", id="openssh-ipv6", marks=pytest.mark.sshd),
]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_voice_is_trained_through_a_cut_line_and_comes_home(
    kind: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    recorded: Recorded,
    cut_proxy: Callable[[Place], CutProxy],
) -> None:
    place: Place = request.getfixturevalue(kind)
    work = tmp_path / "server" / "work"
    with open_server(place, tmp_path / "laptop", "box", work) as session:
        uploads = [deploy(session), deploy(session)]
        assert uploads == [1, 0], "deploying again uploads nothing"
        sent = [push_dataset(session, recorded) for _ in range(2)]
        assert sent == [11, 0], "pushing again sends nothing"
        handle = start(session)
        proxy = cut_proxy(place)
        with open_server(place.through(proxy), tmp_path / "train", "box", work) as far:
            state, cuts = follow_with_cuts(far, handle, proxy)
        assert cuts >= 2 and proxy.connections >= 3, "the line was cut while it trained"
        ended = job_client.fetch_state(session.connection(), handle)
        told = fetch_summaries(
            session.connection(), session.require_deployment(), [handle.run_id], history=True
        )
        assert told[handle.run_id].state == replace(state, points=()), "the server's own fold"
        home = download_voice(
            session,
            VOICE,
            tmp_path / "voices",
            TransferOptions(lambda _: None, threading.Event()),
        )
        check_states_go(session, work)
    voice = DemoVoice(
        str(home.zip), home.bytes, home.sha256 or "", home.verified, home.archive_names()
    )
    proof = home.folder / "proof.wav"
    # A run of some seconds on ten clips: that losses fall is the demo's promise, not this one's.
    failures = set(failed_checks(state, ended.state, voice, wav_seconds(proof), uploads[1]))
    assert failures - {"sovits_loss_fell", "gpt_loss_fell"} == set()
    assert hashlib.sha256(home.zip.read_bytes()).hexdigest() == home.sha256
    assert (work / "packs" / f"{VOICE}.zip").read_bytes() == home.zip.read_bytes()
    with zipfile.ZipFile(home.zip) as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def deploy(session: ServerSession) -> int:
    reports: list[StepReport] = []
    session.deploy(reports.append)
    return sum(step.name == "code" and step.state == "done" for step in reports)


def check_states_go(session: ServerSession, work: Path) -> None:
    """The voice is home: where [keep] says so, its resume states go, and they alone."""
    connection, deployed = session.connection(), session.require_deployment()
    states, before = work / "logs" / VOICE / "states", files_below(work)
    assert list(states.rglob("*.pt"))
    apply_keep(connection, deployed, KeepSection(resume_states="0s"))
    try:
        deadline = time.monotonic() + 60
        while not (removed := fetch_keep_status(connection, deployed.layout).removed):
            assert time.monotonic() < deadline, "the states stayed"
            time.sleep(0.1)
        assert [one.voice for one in removed] == [VOICE] and not states.exists()
    finally:
        job_client.stop_run(
            connection, job_client.make_handle(deployed.layout, job_client.KEEP_RUN), grace=5
        )
    gone = before - files_below(work)
    assert gone and all(path.startswith(f"logs/{VOICE}/states/") for path in gone), gone


def files_below(work: Path) -> set[str]:
    """Files of voices and runs, by their path below the work folder."""
    folders = ("logs", "packs", "runs/trip-1", "data", "GPT_weights", "SoVITS_weights")
    found = (path for folder in folders for path in (work / folder).rglob("*"))
    return {path.relative_to(work).as_posix() for path in found if path.is_file()}


def start(session: ServerSession) -> job_client.RunHandle:
    list_file, wav_folder = remote_dataset_paths(session.layout(), VOICE)
    spec = RunSpec(
        run="trip-1",
        voice=VOICE,
        preset="tiny",
        list_file=list_file,
        wav_folder=wav_folder,
        params=PARAMS,
        proof_text="おはよう。",
    )
    return job_client.start_run(session.connection(), session.require_deployment(), spec)


def follow_with_cuts(
    session: ServerSession, handle: job_client.RunHandle, proxy: CutProxy
) -> tuple[RunState, int]:
    """Fold the stream to its end, cutting every connection at the first step of each stage."""
    seen: set[str | None] = set()
    state, cuts = RunState(), 0
    for batch in job_client.follow_events(session.connection, handle).batches():
        state = fold(state, batch)
        stages = {event.stage for event in batch if event.type == "step"} - seen
        if stages:
            seen |= stages
            cuts += 1
            proxy.reset()
    assert state.gaps == 0 and state.repeats == 0, "no event lost or doubled"
    assert [event.payload for event in state.notices if event.type == "error"] == []
    return state, cuts
