"""Saves of a run that goes on come home one by one, over OpenSSH; the last word is the server's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from servers import Place
from trip_steps import ROOT, VOICE, Recorded, open_server, push_dataset

from sovdeck.engine.contract.params import ParamValue
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.voices.dataset import remote_dataset_paths

PARAMS: dict[str, ParamValue] = {
    "train.repeats": 1,
    "sovits.epochs": 2,
    "sovits.save_every_epochs": 1,
    "sovits.batch_size": 2,
    "gpt.epochs": 40,
    "gpt.save_every_epochs": 10,
    "gpt.batch_size": 2,
    "train.device": "cpu",
    "train.save_every_minutes": 0,
}


def begin(session: ServerSession, recorded: Recorded) -> job_client.RunHandle:
    session.deploy(lambda _step: None)
    push_dataset(session, recorded)
    list_file, wavs = remote_dataset_paths(session.layout(), VOICE)
    spec = RunSpec(
        run="saves-1",
        voice=VOICE,
        preset="tiny",
        list_file=list_file,
        wav_folder=wavs,
        params=PARAMS,
        proof_text="おはよう。",
    )
    return job_client.start_run(session.connection(), session.require_deployment(), spec)


class CommandLine:
    """`sovdeck sync box Tiny` with the folders of the laptop that `open_server` made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, *more: str) -> subprocess.Popen[str]:
        env = {**os.environ, "SOVDECK_HOME": str(self.folder), "SOVDECK_LANG": "en"}
        line = ["--config", str(self.folder / "deploy.toml"), "sync", "box", VOICE, "--json", *more]
        return subprocess.Popen(
            [sys.executable, "-m", "sovdeck.tui", *line],
            text=True,
            cwd=self.folder,
            env={**env, "PYTHONPATH": str(ROOT / "dev")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def end(self, process: subprocess.Popen[str]) -> list[dict[str, Any]]:
        out, err = process.communicate(timeout=400)
        assert process.returncode == 0, (out[-800:], err[-800:])
        return [json.loads(line) for line in out.splitlines()]


def weights(folder: Path) -> dict[str, bytes]:
    found = [*folder.rglob("*.pth"), *folder.rglob("*.ckpt")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.sshd
@pytest.mark.timeout(900)  # a whole preparation before the first save
def test_each_save_comes_home_while_the_run_goes_on(
    sshd_v4: Place, tmp_path: Path, recorded: Recorded
) -> None:
    work, folder = tmp_path / "work", tmp_path / "laptop"
    command, voices = CommandLine(folder), folder / "voices"
    with open_server(sshd_v4, folder, "box", work) as session:
        run = begin(session, recorded)
        watching = command.start("--watch", "--limit", "50")
        try:
            first = wait_for_a_save(session, run, voices, watching)
            looked = command.end(command.start())
            came_early = not job_client.fetch_state(session.connection(), run).ended
            reported = command.end(watching)
        finally:
            watching.kill()
        assert first and came_early, "a save was here before the run had ended"
        assert looked[-1]["safe_to_switch_off"] is False and looked[-2]["running"]
        assert job_client.fetch_state(session.connection(), run).state == "succeeded"
    assert reported[-1]["safe_to_switch_off"] is True and reported[-2]["missing"] == []
    there = {
        name.replace(f"{VOICE}/", "", 1): data
        for name, data in weights(work).items()
        if name.startswith(("GPT_weights/", "SoVITS_weights/"))
    }
    assert weights(voices / "_saves" / VOICE) == there and len(there) >= 4
    assert (voices / f"{VOICE}.zip").read_bytes() == (work / f"packs/{VOICE}.zip").read_bytes()
    # Only the best: one of each kind, wherever else they are wanted.
    best = command.end(command.start("--best", "--dest", str(tmp_path / "best")))
    assert best[-1]["safe_to_switch_off"] is True
    kinds = sorted(name.split("/")[0] for name in weights(tmp_path / "best/_saves" / VOICE))
    assert kinds == ["GPT_weights", "SoVITS_weights"]


def wait_for_a_save(
    session: ServerSession, run: job_client.RunHandle, voices: Path, watching: subprocess.Popen[str]
) -> list[Path]:
    deadline = time.monotonic() + 400
    while not (found := [*voices.rglob("*.pth")]):
        assert watching.poll() is None, watching.communicate()
        assert (
            not job_client.fetch_state(session.connection(), run).ended
            and time.monotonic() < deadline
        )
        time.sleep(0.2)
    return found
