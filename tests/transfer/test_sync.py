"""A voice comes home with all that belongs to it, once, and only then the server may go."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import Place

from engine.contract.events import Event
from engine.contract.layout import Layout
from engine.contract.problem import ExitCode, Problem
from remote import voice_files
from remote.autopull import AutoPull
from remote.deployed import Deployed
from remote.homecoming import bring_home
from remote.ledger import FILE, Ledger
from remote.sync import Synced, Way, sync
from remote.transfer.policy import SwitchOff, When

ROOT = Path(__file__).resolve().parents[2]
VOICE = "Anna 声"
MIB = 1 << 20


class Desk:
    """A server's work folder with one voice, and a laptop's folder for it."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.work, self.outputs = folder / "work", folder / "voices"
        self.work.mkdir()
        env = {"PYTHONPATH": str(ROOT)}
        self.deployed = Deployed(Layout.at(str(self.work)), sys.executable, "0" * 64, env)
        self.place, self.link = place, place.connect()
        self.put(f"GPT_weights/{VOICE}/{VOICE}-e1.ckpt", b"g1")
        self.put(f"GPT_weights/{VOICE}/{VOICE}-e1.ckpt.json", b"{}")
        self.put(f"SoVITS_weights/{VOICE}/{VOICE}_e1_s9.pth", os.urandom(9 * MIB))
        self.put(f"SoVITS_weights/{VOICE}/{VOICE}_e2_s18.pth", b"s2")
        self.put("runs/r1/samples/gpt-e1-0.wav", b"RIFF")
        self.put("runs/r1/spec.json", json.dumps({"run": "r1", "voice": VOICE}).encode())
        self.put("runs/r0/spec.json", json.dumps({"run": "r0", "voice": "Other"}).encode())
        self.put("runs/r0/samples/other.wav", b"RIFF")
        self.put("GPT_weights/Other/Other-e1.ckpt", b"o")

    def put(self, path: str, data: bytes) -> None:
        file = self.work / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def pack(self) -> None:
        (self.work / "packs").mkdir(exist_ok=True)
        with zipfile.ZipFile(self.work / f"packs/{VOICE}.zip", "w") as archive:
            archive.writestr("proof.wav", b"RIFF")

    def end_runs(self) -> None:
        for run in ("r0", "r1"):
            self.put(f"runs/{run}/pid.json", b'{"attempt": 1, "pid": 1}')
            self.put(f"runs/{run}/exit.json", b'{"attempt": 1, "code": 0, "t": 1}')

    def sync(self, **options: Any) -> Synced:
        way = Way(lambda progress: None, threading.Event())
        return sync(self.place.connect, self.link, self.deployed, VOICE, self.outputs, way,
                    **options)  # fmt: skip

    def here(self) -> set[str]:
        return {
            p.relative_to(self.outputs).as_posix() for p in self.outputs.rglob("*") if p.is_file()
        }


@pytest.fixture
def desk(embedded: Place, tmp_path: Path) -> Iterator[Desk]:
    one = Desk(embedded, tmp_path)
    yield one
    one.link.close()


SAVES = {
    f"_saves/{VOICE}/GPT_weights/{VOICE}-e1.ckpt",
    f"_saves/{VOICE}/GPT_weights/{VOICE}-e1.ckpt.json",
    f"_saves/{VOICE}/SoVITS_weights/{VOICE}_e1_s9.pth",
    f"_saves/{VOICE}/SoVITS_weights/{VOICE}_e2_s18.pth",
    f"_saves/{VOICE}/samples/r1/gpt-e1-0.wav",
}


def test_everything_comes_once(desk: Desk) -> None:
    assert voice_files.voices(desk.link, desk.deployed.layout) == (VOICE, "Other")
    assert voice_files.newest_run(desk.link, desk.deployed.layout, "Other") == ("r0", "Other")
    first = desk.sync()
    assert desk.here() == SAVES | {FILE}
    assert len(first.files) == 5 and first.bytes > 9 * MIB and first.kept == 0
    again = desk.sync()
    assert again.files == () and again.kept == 5
    desk.put(f"SoVITS_weights/{VOICE}/{VOICE}_e2_s18.pth", b"s3")
    os.utime(desk.work / f"SoVITS_weights/{VOICE}/{VOICE}_e2_s18.pth", (7, 7))
    assert desk.sync().files == (f"SoVITS_weights/{VOICE}/{VOICE}_e2_s18.pth",)


def test_a_lost_ledger_costs_no_byte_and_a_lost_file_comes_again(desk: Desk) -> None:
    desk.sync()
    (desk.outputs / FILE).write_text("{")
    assert desk.sync().files == ()
    assert len(Ledger(desk.outputs).here(desk.link.name)) == 5
    (desk.outputs / f"_saves/{VOICE}/samples/r1/gpt-e1-0.wav").unlink()
    assert desk.sync().files == ("runs/r1/samples/gpt-e1-0.wav",)


def test_only_the_best_of_each_kind(desk: Desk) -> None:
    best = f"SoVITS_weights/{VOICE}/{VOICE}_e1_s9.pth"
    desk.sync(when=When.BEST, scores={best: 1.0, best.replace("e1_s9", "e2_s18"): 2.0})
    assert desk.here() == (SAVES | {FILE}) - {f"_saves/{VOICE}/SoVITS_weights/{VOICE}_e2_s18.pth"}


def test_safe_only_with_the_newest_pack_here_and_no_run(desk: Desk) -> None:
    desk.pack()
    first = desk.sync()
    assert not first.verdict.safe and first.verdict.running, "r0 and r1 have no end yet"
    assert (desk.outputs / VOICE / "proof.wav").read_bytes() == b"RIFF"
    desk.end_runs()
    assert desk.sync().verdict == SwitchOff(True, (), False)
    os.utime(desk.work / f"packs/{VOICE}.zip", (9, 9))  # packed anew: as large, another time
    ledger = Ledger(desk.outputs).here(desk.link.name)
    pack = voice_files.look(desk.link, desk.deployed.layout, VOICE).pack
    assert pack is not None
    assert ledger[pack.path] != voice_files.version_of(pack.size, pack.mtime)
    assert desk.sync().files == (f"packs/{VOICE}.zip",)


def test_the_link_it_began_with_may_be_gone_at_the_end(desk: Desk) -> None:
    desk.pack()
    desk.end_runs()
    way = Way(lambda progress: desk.link.close(), threading.Event())
    for kind in ("GPT_weights", "SoVITS_weights", "runs/r1/samples"):
        shutil.rmtree(desk.work / kind)  # so that the first report comes when the pack moves
    done = sync(desk.place.connect, desk.link, desk.deployed, VOICE, desk.outputs, way)
    assert not desk.link.alive and done.verdict == SwitchOff(True, (), False)
    assert (desk.work / "autostop" / "pulled").exists()


def test_a_full_disk_there_does_not_keep_the_voice_there(desk: Desk, tmp_path: Path) -> None:
    python = tmp_path / "python"
    refusal = '{"status": "failed", "code": "engine.pack.no_space", "message": {"en": "full"}}'
    python.write_text(
        f'#!/bin/sh\ncase $* in *--outline*) exec {sys.executable} "$@" ;;\n'
        f"*) echo '{refusal}'; exit 3 ;; esac\n"
    )
    python.chmod(0o755)
    tight = Deployed(desk.deployed.layout, str(python), "0" * 64, desk.deployed.env)
    home = bring_home(
        desk.place.connect, desk.link, tight, VOICE, desk.outputs, report=lambda p: None,
        cancel=threading.Event(),
    )  # fmt: skip
    assert home.verified and f"SoVITS_weights/{VOICE}/{VOICE}_e2_s18.pth" in home.names()
    assert not (desk.work / "packs").exists()


def test_another_refusal_to_pack_is_said(desk: Desk) -> None:
    with pytest.raises(Problem) as caught:
        bring_home(
            desk.place.connect, desk.link, desk.deployed, "Nobody", desk.outputs,
            report=lambda p: None, cancel=threading.Event(),
        )  # fmt: skip
    assert caught.value.key == "remote.job.pack_failed"


def save_event(seq: int, kind: str = "export") -> Event:
    return Event(seq, 0, "r", kind)


def test_auto_pull_looks_after_each_save_and_survives_a_bad_line() -> None:
    looked, told = threading.Semaphore(0), []
    answers: list[Any] = [
        Problem("remote.transfer.mismatch", ExitCode.DATA, path="x"),
        Synced("A", Path(), ("f",), 1, 0, 0.0, SwitchOff(False, (), True)),
        Synced("A", Path(), (), 0, 1, 0.0, SwitchOff(False, (), True)),
    ]

    def bring() -> Synced:
        answer = answers.pop(0)
        looked.release()
        if isinstance(answer, Problem):
            raise answer
        return answer  # type: ignore[no-any-return]

    auto = AutoPull(bring, told.append, settle=0.0)
    auto.heard([save_event(1, "step")])
    assert not looked.acquire(timeout=0.2), "a step is no news"
    for number in range(3):
        auto.heard([save_event(number)])
        assert looked.acquire(timeout=10)
    auto.close()
    assert [type(one).__name__ for one in told] == ["Problem", "Synced"]


def test_a_last_look_is_taken_when_asked() -> None:
    looks: list[int] = []

    def bring() -> Synced:
        looks.append(1)
        return Synced("A", Path(), (), 0, 1, 0.0, SwitchOff(False, (), True))

    for look, count in ((True, 1), (False, 1)):
        AutoPull(bring, lambda news: None, settle=0.0).close(look=look)
        assert len(looks) == count


def test_closing_ends_the_look_that_goes_on() -> None:
    cancel, inside = threading.Event(), threading.Event()

    def bring() -> Synced:
        inside.set()
        cancel.wait()
        raise Problem("remote.transfer.cancelled", ExitCode.INTERRUPTED)

    told: list[Any] = []
    auto = AutoPull(bring, told.append, settle=0.0)
    auto.heard([save_event(1)])
    assert inside.wait(10)
    cancel.set()
    auto.close()
    assert told == []
