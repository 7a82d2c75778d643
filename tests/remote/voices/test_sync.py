"""A voice comes home with all that belongs to it, once, and only then the server may go."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import Place

from sovdeck.engine.contract.events import Event
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.errors import SftpUnavailable
from sovdeck.remote.ssh.client import SSHConnection
from sovdeck.remote.transfer.download.file import pull
from sovdeck.remote.voices import listing as voice_listing
from sovdeck.remote.voices.auto_download import AutoDownload
from sovdeck.remote.voices.download import download_voice
from sovdeck.remote.voices.download_index import FILE, DownloadIndex
from sovdeck.remote.voices.sync import SyncResult, sync
from sovdeck.remote.voices.sync_policy import SwitchOffCheck, SyncPolicy
from sovdeck.remote.voices.transfer_options import TransferOptions

ROOT = Path(__file__).resolve().parents[3]
VOICE = "Anna 声"
MIB = 1 << 20
QUIET = TransferOptions(lambda progress: None, threading.Event())


class Session:
    """A server's work folder with one voice, and a laptop's folder for it."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.work, self.outputs = folder / "work", folder / "voices"
        self.work.mkdir()
        env = {"PYTHONPATH": str(ROOT / "dev")}
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

    def sync(self, **options: Any) -> SyncResult:
        return sync(self, VOICE, self.outputs, QUIET, **options)

    def connect(self) -> SSHConnection:
        return self.place.connect()

    def connection(self) -> SSHConnection:
        return self.link

    def require_deployment(self) -> Deployed:
        return self.deployed

    def here(self) -> set[str]:
        return {
            p.relative_to(self.outputs).as_posix() for p in self.outputs.rglob("*") if p.is_file()
        }


@pytest.fixture
def session(embedded: Place, tmp_path: Path) -> Iterator[Session]:
    one = Session(embedded, tmp_path)
    yield one
    one.link.close()


SAVES = {
    f"_saves/{VOICE}/GPT_weights/{VOICE}-e1.ckpt",
    f"_saves/{VOICE}/GPT_weights/{VOICE}-e1.ckpt.json",
    f"_saves/{VOICE}/SoVITS_weights/{VOICE}_e1_s9.pth",
    f"_saves/{VOICE}/SoVITS_weights/{VOICE}_e2_s18.pth",
    f"_saves/{VOICE}/samples/r1/gpt-e1-0.wav",
}


def test_everything_comes_once(session: Session) -> None:
    assert voice_listing.list_voices(session.link, session.deployed.layout) == (VOICE, "Other")
    assert voice_listing.newest_run(session.link, session.deployed.layout, "Other") == (
        "r0",
        "Other",
    )
    first = session.sync()
    assert session.here() == SAVES | {FILE}
    assert len(first.files) == 5 and first.bytes > 9 * MIB and first.kept == 0
    again = session.sync()
    assert again.files == () and again.kept == 5
    session.put(f"SoVITS_weights/{VOICE}/{VOICE}_e2_s18.pth", b"s3")
    os.utime(session.work / f"SoVITS_weights/{VOICE}/{VOICE}_e2_s18.pth", (7, 7))
    assert session.sync().files == (f"SoVITS_weights/{VOICE}/{VOICE}_e2_s18.pth",)


def test_a_lost_index_costs_no_byte_and_a_lost_file_comes_again(session: Session) -> None:
    session.sync()
    (session.outputs / FILE).write_text("{")
    assert session.sync().files == ()
    assert len(DownloadIndex(session.outputs).verified_on(session.link.name)) == 5
    (session.outputs / f"_saves/{VOICE}/samples/r1/gpt-e1-0.wav").unlink()
    assert session.sync().files == ("runs/r1/samples/gpt-e1-0.wav",)


def test_only_the_best_of_each_kind(session: Session) -> None:
    best = f"SoVITS_weights/{VOICE}/{VOICE}_e1_s9.pth"
    session.sync(policy=SyncPolicy.BEST, scores={best: 1.0, best.replace("e1_s9", "e2_s18"): 2.0})
    assert session.here() == (SAVES | {FILE}) - {
        f"_saves/{VOICE}/SoVITS_weights/{VOICE}_e2_s18.pth"
    }


def test_safe_only_with_the_newest_pack_here_and_no_run(session: Session) -> None:
    session.pack()
    first = session.sync()
    assert not first.switch_off.safe and first.switch_off.running, "r0 and r1 have no end yet"
    assert (session.outputs / VOICE / "proof.wav").read_bytes() == b"RIFF"
    session.end_runs()
    assert session.sync().switch_off == SwitchOffCheck(True, (), False)
    os.utime(session.work / f"packs/{VOICE}.zip", (9, 9))  # packed anew: as large, another time
    index = DownloadIndex(session.outputs).verified_on(session.link.name)
    pack = voice_listing.list_voice_files(session.link, session.deployed.layout, VOICE).pack
    assert pack is not None
    assert index[pack.path] != voice_listing.version_of(pack.size, pack.mtime)
    assert session.sync().files == (f"packs/{VOICE}.zip",)


def test_the_link_it_began_with_may_be_gone_at_the_end(session: Session) -> None:
    session.pack()
    session.end_runs()
    way = TransferOptions(lambda progress: session.link.close(), threading.Event())
    for kind in ("GPT_weights", "SoVITS_weights", "runs/r1/samples"):
        shutil.rmtree(session.work / kind)  # so that the first report comes when the pack moves
    done = sync(session, VOICE, session.outputs, way)
    assert not session.link.alive and done.switch_off == SwitchOffCheck(True, (), False)
    assert (session.work / "autostop" / "pulled").exists()


def test_a_voice_without_a_pack_is_packed_there_and_comes(session: Session) -> None:
    phases: list[str] = []
    home = download_voice(
        session,
        VOICE,
        session.outputs,
        TransferOptions(lambda p: phases.append(p.phase), threading.Event()),
        contents="all-epochs",
    )
    assert home.verified and f"SoVITS_weights/{VOICE}/{VOICE}_e1_s9.pth" in home.archive_names()
    assert home.zip.read_bytes() == (session.work / f"packs/{VOICE}.zip").read_bytes()
    assert phases[0] == "pack" and phases[-1] == "done"


def test_a_full_disk_there_is_said_with_another_way(session: Session, tmp_path: Path) -> None:
    python = tmp_path / "python"
    refusal = '{"status": "failed", "code": "engine.pack.no_space", "message": {"en": "full"}}'
    python.write_text(f"#!/bin/sh\necho '{refusal}'; exit 3\n")
    python.chmod(0o755)
    session.deployed = Deployed(
        session.deployed.layout, str(python), "0" * 64, session.deployed.env
    )
    with pytest.raises(Problem, match="full") as caught:
        download_voice(session, VOICE, session.outputs, QUIET)
    assert caught.value.key == "remote.job.pack_failed" and "sovdeck sync" in caught.value.hint.en


def test_another_refusal_to_pack_is_said(session: Session) -> None:
    with pytest.raises(Problem) as caught:
        download_voice(session, "Nobody", session.outputs, QUIET)
    assert caught.value.key == "remote.job.pack_failed"


def save_event(seq: int, kind: str = "export") -> Event:
    return Event(seq, 0, "r", kind)


def test_one_odd_name_stops_no_other(session: Session) -> None:
    odd = [
        f"GPT_weights/{VOICE}/back\\slash.ckpt",
        f"GPT_weights/{VOICE}/{VOICE}-E1.ckpt",
        f"SoVITS_weights/{VOICE}/huge.pth",
    ]
    for path in odd:
        session.put(path, b"x")
        os.utime(session.work / path, (2**31, 2**31))  # after the one it meets
    with (session.work / odd[2]).open("r+b") as file:
        file.truncate(40 << 30)  # no byte behind it
    done = session.sync()
    assert set(done.refused) == set(odd) and session.here() - {FILE} == SAVES
    assert not done.switch_off.safe and set(done.switch_off.missing) >= set(odd)
    session.put("GPT_weights/\x1b[2J/x.ckpt", b"x")
    listed = voice_listing.list_voices(session.link, session.deployed.layout)
    assert listed == (VOICE, "Other")


def test_a_refused_archive_takes_no_trusted_name(session: Session) -> None:
    session.pack()
    good = download_voice(session, VOICE, session.outputs, QUIET)
    before = good.zip.read_bytes()
    with zipfile.ZipFile(session.work / f"packs/{VOICE}.zip", "w") as archive:
        archive.writestr("../../evil.sh", b"x")
    with pytest.raises(Problem) as caught:
        download_voice(session, VOICE, session.outputs, QUIET)
    assert caught.value.key == "remote.archive.refused"
    assert good.zip.read_bytes() == before and good.files[0].read_bytes() == b"RIFF"
    assert {p.name for p in session.outputs.iterdir()} == {VOICE, f"{VOICE}.zip", FILE}
    session.pack()
    assert download_voice(session, VOICE, session.outputs, QUIET).verified


def test_a_pack_without_bytes_behind_its_size_is_refused_at_once(session: Session) -> None:
    (session.work / "packs").mkdir()
    with (session.work / f"packs/{VOICE}.zip").open("wb") as file:
        file.truncate(40 << 30)
    began = time.monotonic()
    with pytest.raises(Problem) as caught:
        download_voice(session, VOICE, session.outputs, QUIET)
    assert caught.value.key == "remote.transfer.too_large" and time.monotonic() - began < 20
    assert not any(session.outputs.rglob("*.zip*"))


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device here")
def test_a_link_to_a_device_is_refused_at_once(session: Session) -> None:
    (session.work / "zero").symlink_to("/dev/zero")
    (session.work / f"GPT_weights/{VOICE}/zero.ckpt").symlink_to("/dev/zero")
    for way in (session.link.open_sftp, None):
        connect = session.connect if way else lambda: WithoutSftp(session.connect())
        with pytest.raises(Problem) as caught:
            pull(
                connect,
                str(session.work / "zero"),
                session.outputs,
                report=lambda progress: None,
                cancel=threading.Event(),
            )
        assert caught.value.exit_code is ExitCode.DATA and "ordinary" in caught.value.message.en
    session.sync()
    assert session.here() - {FILE} == SAVES


class WithoutSftp:
    """A connection to a server that has no SFTP."""

    def __init__(self, link: SSHConnection) -> None:
        self._link = link

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)

    def open_sftp(self, **options: Any) -> Any:
        raise SftpUnavailable("test")


def test_auto_pull_looks_after_each_save_and_survives_a_bad_line() -> None:
    looked = threading.Semaphore(0)
    reported: list[Any] = []
    answers: list[Any] = [
        Problem("remote.transfer.mismatch", ExitCode.DATA, path="x"),
        SyncResult("A", Path(), ("f",), 1, 0, 0.0, SwitchOffCheck(False, (), True)),
        SyncResult("A", Path(), (), 0, 1, 0.0, SwitchOffCheck(False, (), True)),
    ]

    def bring() -> SyncResult:
        answer = answers.pop(0)
        looked.release()
        if isinstance(answer, Problem):
            raise answer
        return answer

    auto = AutoDownload(bring, reported.append, delay=0.0)
    auto.handle_events([save_event(1, "step")])
    assert not looked.acquire(timeout=0.2), "a step is no news"
    for number in range(3):
        auto.handle_events([save_event(number)])
        assert looked.acquire(timeout=60)
    auto.close()
    assert [type(one).__name__ for one in reported] == ["Problem", "SyncResult"]


def test_a_last_look_is_taken_when_asked() -> None:
    looks: list[int] = []

    def bring() -> SyncResult:
        looks.append(1)
        return SyncResult("A", Path(), (), 0, 1, 0.0, SwitchOffCheck(False, (), True))

    for look, count in ((True, 1), (False, 1)):
        AutoDownload(bring, lambda news: None, delay=0.0).close(final_sync=look)
        assert len(looks) == count


def test_closing_ends_the_look_that_goes_on() -> None:
    cancel, inside = threading.Event(), threading.Event()

    def bring() -> SyncResult:
        inside.set()
        cancel.wait()
        raise Problem("remote.transfer.cancelled", ExitCode.INTERRUPTED)

    reported: list[Any] = []
    auto = AutoDownload(bring, reported.append, delay=0.0)
    auto.handle_events([save_event(1)])
    assert inside.wait(60)
    cancel.set()
    auto.close()
    assert reported == []
