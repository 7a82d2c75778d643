"""Before recordings are sent: the disk has room for them, and what a run would meet is said."""

from __future__ import annotations

import json
import os
import shutil
import wave
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.remote.preflight.other_runs import find_active_runs
from sovdeck.remote.preflight.push import check_push
from sovdeck.remote.voices.dataset import LocalRecordings, read_recordings


class Server:
    """A session with this machine."""

    name = "box"
    config = SimpleNamespace(models=SimpleNamespace(set="v2"))

    def __init__(self, link: Any, work: Path) -> None:
        self.link, self.work = link, work
        work.mkdir()

    def connection(self) -> Any:
        return self.link

    def layout(self) -> Layout:
        return Layout.at(str(self.work))

    def add_run(self, run: str, **pid: Any) -> None:
        folder = self.work / "runs" / run
        folder.mkdir(parents=True)
        if pid:
            (folder / "pid.json").write_text(json.dumps(pid, separators=(",", ":")))


@pytest.fixture
def server(link: Any, tmp_path: Path) -> Any:
    return Server(link, tmp_path / "work")


@pytest.fixture
def recordings(tmp_path: Path) -> LocalRecordings:
    folder = tmp_path / "clips"
    folder.mkdir()
    lines = []
    for number in range(6):
        with wave.open(str(folder / f"{number}.wav"), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(8000)
            sound.writeframes(bytes(8000 * 2 * 4))
        lines.append(f"{number}.wav|Anna|en|Hello there.")
    (folder / "Anna.list").write_text("\n".join(lines), encoding="utf-8")
    return read_recordings("Anna", folder / "Anna.list", None, lambda _path: None)


def spec_of(**params: Any) -> RunSpec:
    return RunSpec("one", "Anna", "v2", params=params)


def put_df(link: Any, tmp_path: Path, free_kib: int) -> None:
    """A df that shows so much room."""
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    (folder / "df").write_text(
        f"#!/bin/sh\necho Filesystem\necho /dev/sda1 99999999 1 {free_kib} 1% /data\n"
    )
    (folder / "df").chmod(0o755)
    link.env["PATH"] = f"{folder}:{link.env['PATH']}"


def test_a_full_disk_is_said_before_the_first_byte(
    server: Any, recordings: LocalRecordings, tmp_path: Path
) -> None:
    assert check_push(server, recordings, spec_of()) == ()
    put_df(server.link, tmp_path, 200)
    with pytest.raises(Problem) as caught:
        check_push(server, recordings, spec_of())
    assert caught.value.key == "remote.preflight.no_space"
    said = caught.value.sentence("en")
    assert "205 kB free" in said and "384 kB" in said and "sovdeck ssh box" in said
    # What stands there already, or is staged from an earlier push, is not sent again.
    there = server.work / "data" / "Anna" / "wavs"
    there.mkdir(parents=True)
    for name in ("0.wav", "1.wav", "2.wav"):
        shutil.copy(recordings.files[f"wavs/{name}"], there / name)
    assert check_push(server, recordings, spec_of()) == ()


def test_what_a_run_on_them_would_meet_is_said(server: Any, recordings: LocalRecordings) -> None:
    wanted = replace(spec_of(**{"gpt.batch_size": 40}), pretrained="v2")
    found = check_push(server, recordings, wanted)
    assert [one.key for one in found] == ["engine.plan.no_updates", "remote.models.missing"]
    assert "gpt.batch_size" in found[0].sentence("en")
    # A format that cannot be measured here: the server says it before the run.
    recordings.files["wavs/0.wav"].write_bytes(b"fLaC")
    assert check_push(server, recordings, spec_of(**{"gpt.batch_size": 40})) == ()


def test_a_run_of_the_same_voice_is_named(server: Any, recordings: LocalRecordings) -> None:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    started = int(Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()[19])
    alive = {"pid": os.getpid(), "start": started, "boot": boot, "attempt": 1, "child": 0}
    server.add_run("20261122-141530-Anna", **alive)
    server.add_run("20261122-141531-Ben", **alive)
    assert find_active_runs(server) == ("20261122-141530-Anna", "20261122-141531-Ben")
    (found,) = check_push(server, recordings, spec_of())
    assert found.key == "remote.preflight.voice_in_use" and "141530-Anna" in found.sentence("zh")


def test_a_run_that_never_began_is_in_nobodys_way(server: Any) -> None:
    server.add_run("20261122-141530-Anna")
    assert find_active_runs(server) == ()
