"""Recordings without a list: sent, cut on the server, their list and clips brought back."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from servers import Place
from trip_steps import Recorded, open_server

from sovdeck.engine.contract.dataset.items import read_dataset_list
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.voices.dataset import push_recordings, read_recordings
from sovdeck.remote.voices.transcription import (
    TranscriptionProgress,
    find_bare_recordings,
    push_bare_recordings,
    transcribe,
)
from sovdeck.remote.voices.transfer_options import TransferOptions
from sovdeck.tui.audio.measure_file import measure_file
from sovdeck.tui.cli.main import main

pytestmark = pytest.mark.long
VOICE = "安娜 A"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def session(embedded: Place, work: Path, tmp_path_factory: pytest.TempPathFactory) -> ServerSession:
    found = open_server(embedded, tmp_path_factory.mktemp("laptop"), "box", work)
    found.deploy(lambda report: None)
    return found


@pytest.fixture
def folder(recorded: Recorded, tmp_path: Path) -> Path:
    """One long mp3 of four sentences, a clip with a text beside it, and what a Mac leaves."""
    wavs = sorted(recorded.wavs.glob("*.wav"))
    parts, rate = [], 0
    for wav in wavs[:4]:
        samples, rate = soundfile.read(wav)
        parts += [samples, np.zeros(rate)]
    folder = tmp_path / "my recordings"
    (folder / "more").mkdir(parents=True)
    soundfile.write(folder / "long|one.mp3", np.concatenate(parts), rate)
    samples, rate = soundfile.read(wavs[5])
    soundfile.write(folder / "more" / "short.flac", samples, rate)
    (folder / "more" / "short.txt").write_text("こんにちは。", "utf-8")
    (folder / "._long|one.mp3").write_bytes(b"junk")
    return folder


def options() -> TransferOptions:
    return TransferOptions(lambda progress: None, threading.Event())


def test_the_list_comes_back_and_corrections_go_up(
    session: ServerSession, work: Path, folder: Path
) -> None:
    recordings = find_bare_recordings(VOICE, folder)
    assert sorted(recordings.files) == [
        "recordings/long|one.mp3",
        "recordings/more/short.flac",
        "recordings/more/short.txt",
    ]
    push_bare_recordings(session, recordings, options())
    reported: list[TranscriptionProgress] = []
    written = transcribe(session, recordings, options(), reported.append)
    assert written.list_file == folder / f"{VOICE}.list"
    assert reported[-1].recordings == 2 and written.clips == reported[-1].clips
    lines = written.list_file.read_text("utf-8").splitlines()
    assert written.clips == len(lines) >= 4 and written.untold == written.clips - 1
    assert f"more/short.flac|{VOICE}|ja|こんにちは。" in lines
    cut = [line.partition("|")[0] for line in lines if line.startswith("wavs/long_one_")]
    assert len(cut) == written.untold
    assert all(measure_file(folder / path) is not None for path in cut)

    # Nobody heard them here, so a person writes them down; then all is sent as any list is.
    told = [line if line.endswith("。") else f"{line}もういちど。" for line in lines]
    written.list_file.write_text("\n".join(told), "utf-8")
    again = read_recordings(VOICE, written.list_file, None, measure_file)
    assert not again.problems
    pushed = push_recordings(session, again, options())
    assert pushed.kept_files == len(cut), "the server has the clips it cut"
    data = work / "data" / VOICE
    manifest = read_dataset_list(data / f"{VOICE}.list", data / "wavs")
    assert len(manifest.items) == len(lines) and not manifest.problems

    # A recording is added: what was written stays as it was corrected.
    soundfile.write(folder / "added.wav", soundfile.read(folder / cut[0])[0], 32000)
    more = find_bare_recordings(VOICE, folder)
    assert "recordings/added.wav" in more.files and len(more.files) == 4
    push_bare_recordings(session, more, options())
    written = transcribe(session, more, options(), reported.append)
    lines = written.list_file.read_text("utf-8").splitlines()
    assert sum(line.endswith("もういちど。") for line in lines) == len(cut)
    assert written.untold == 1
    assert list(folder.glob("*.bak")), "the list as it was here"


def test_the_command_does_it_in_one_line(
    session: ServerSession,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = session.app_paths.config_folder.parent
    monkeypatch.setenv("SOVDECK_HOME", str(home))
    project = str(home / "deploy.toml")
    push = ["--config", project, "push", "box", "--voice", "Bea", "--wavs", str(folder)]
    assert main([*push, "--json"]) == 0, capsys.readouterr().err
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["status"] == "ok" and last["untold"] == last["clips"] - 1
    assert Path(last["file"]) == folder / "Bea.list"
    # Now there is a list: the same line checks it, and says what is still to be written.
    assert main(push) == 3
    said = capsys.readouterr()
    assert "has no words" in said.out and "--skip-faults" in said.err
    assert main([*push, "--skip-faults"]) == 0, capsys.readouterr().err

    empty = folder / "empty"
    empty.mkdir()
    assert main([*push[:-1], str(empty)]) == 3
    assert "holds no recordings" in capsys.readouterr().err
