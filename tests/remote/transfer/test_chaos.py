"""Faults at random bytes: every pull ends whole or with a clear Problem, and goes on from there."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from pipe_server import QUICK, LocalLink, Server

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.transfer.download.file import PullResult, pull
from sovdeck.remote.transfer.download.part_file import PartFile, disk_errors

ROOT = Path(__file__).resolve().parents[3]
MIB = 1 << 20
# What may come twice after one fault: see Tuning.journal_every and issue text.
MOST_AGAIN = 4 * MIB
# SFTP headers, digests, hellos.
OVERHEAD = 256 << 10


@dataclass
class Trial:
    """One pull of `size` bytes with one fault at byte `at`."""

    server: Server
    laptop: Path
    file: Path
    size: int
    at: int
    monkeypatch: pytest.MonkeyPatch
    data: bytes
    other: bytes

    def pull(self) -> PullResult:
        return pull(
            self.server.connect,
            self.file.name,
            self.laptop,
            report=lambda p: None,
            cancel=threading.Event(),
            tuning=QUICK,
        )

    def once(self, fault: Callable[[LocalLink], None]) -> None:
        """Let `fault` happen when byte `at` has come."""
        armed = [True]

        def weather(link: LocalLink, total: int) -> None:
            if armed and self.server.weather.received >= self.at:
                armed.clear()
                fault(link)

        self.server.weather.on_bytes = weather


def cut(trial: Trial) -> None:
    trial.once(lambda link: link.cut())


def half_open(trial: Trial) -> None:
    trial.once(lambda link: link.hush())


def server_killed(trial: Trial) -> None:
    def kill(link: LocalLink) -> None:
        for stream in link.streams:
            stream.process.kill()

    trial.once(kill)


def client_killed(trial: Trial) -> None:
    done = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name("killed_pull.py")),
            str(trial.server.home),
            str(trial.laptop),
            trial.file.name,
            str(trial.at),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(ROOT / "dev"), str(ROOT / "tests/remote"))),
        },
        capture_output=True,
    )
    assert done.returncode == -9, done.stderr.decode()
    trial.server.weather.received = trial.at


def disk_full(trial: Trial) -> None:
    true_write = PartFile.write
    written = [0]

    def write(self: PartFile, offset: int, data: memoryview) -> None:
        written[0] += len(data)
        if written[0] > trial.at:
            with disk_errors(self.path):
                raise OSError(errno.ENOSPC, "No space left on device")
        true_write(self, offset, data)

    trial.monkeypatch.setattr(PartFile, "write", write)


def server_disk_full(trial: Trial) -> None:
    """Not one byte can be written there: a pull needs none."""
    trial.server.weather.most_written = 0


def file_changed(trial: Trial) -> None:
    def change(link: LocalLink) -> None:
        fresh = trial.file.with_name("fresh")
        fresh.write_bytes(trial.other)
        fresh.replace(trial.file)
        trial.data = trial.other

    trial.once(change)


def file_grown(trial: Trial) -> None:
    def grow(link: LocalLink) -> None:
        with trial.file.open("ab") as file:
            file.write(b"more")
        trial.data += b"more"

    trial.once(grow)


FAULTS = [
    cut,
    half_open,
    server_killed,
    client_killed,
    disk_full,
    server_disk_full,
    file_changed,
    file_grown,
]
CHANGES = {file_changed, file_grown}


def run(trial: Trial, fault: Callable[[Trial], None]) -> str:
    """One trial; returns what became of the first pull."""
    weather = trial.server.weather
    before = trial.data
    with trial.monkeypatch.context() as patch:
        trial.monkeypatch = patch
        fault(trial)
        ended = "killed"
        if fault is not client_killed:
            try:
                done = trial.pull()
                ended = "whole"
                # As it was at some moment, never a mixture.
                assert done.path.read_bytes() in (before, trial.data)
            except Problem as problem:
                ended = problem.key
                assert problem.hint.en and problem.hint.zh
    weather.on_bytes = lambda link, total: None
    final = trial.laptop / trial.file.name
    if ended != "whole":
        assert not final.exists()
    if fault in CHANGES:  # other bytes: nothing to go on from
        assert trial.pull().path.read_bytes() == trial.data
    else:
        came = weather.received
        done = trial.pull()
        assert done.path.read_bytes() == trial.data
        assert weather.received <= trial.size + MOST_AGAIN + OVERHEAD
        again = trial.size - trial.at + MOST_AGAIN + OVERHEAD
        assert ended == "whole" or weather.received - came < again
    assert [p.name for p in trial.laptop.iterdir()] == [final.name]
    return ended


def storm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, faults: int, seed: int = 6
) -> Counter[str]:
    chance = random.Random(seed)
    data, other = chance.randbytes(size), chance.randbytes(size)
    ends: Counter[str] = Counter()
    home = tmp_path / "storm"
    home.mkdir()
    for number in range(faults):
        server = Server(home)
        laptop = tmp_path / "laptop"
        laptop.mkdir()
        file = server.put("voice.zip", data)
        at = chance.randrange(size)
        fault = FAULTS[number % len(FAULTS)]
        trial = Trial(server, laptop, file, size, at, monkeypatch, data, other)
        try:
            ends[f"{fault.__name__}: {run(trial, fault)}"] += 1
        except BaseException as error:
            error.add_note(f"trial {number}: {fault.__name__} at byte {at} of {size}")
            raise
        finally:
            server.reap()
        (laptop / file.name).unlink()
        laptop.rmdir()
    return ends


def expect_each(ends: Counter[str], count: int) -> None:
    """Lines that break are mended within the pull; a full disk here is said, there it is nothing.

    A file that changed under the pull is noticed, or comes whole as it was before.
    """
    assert ends["cut: whole"] == ends["half_open: whole"] == ends["server_killed: whole"] == count
    assert ends["server_disk_full: whole"] == ends["client_killed: killed"] == count
    assert ends["disk_full: remote.transfer.disk_full"] == count
    for change in ("file_changed", "file_grown"):
        noticed = ends[f"{change}: remote.transfer.changed"]
        assert noticed + ends[f"{change}: whole"] == count


@pytest.mark.long
def test_each_kind_of_fault(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # `server`: skips where there is none
    expect_each(storm(tmp_path, monkeypatch, 8 * MIB, 6 * len(FAULTS)), 6)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_five_hundred_faults(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = storm(tmp_path, monkeypatch, 64 * MIB, 63 * len(FAULTS))
    print("\n".join(f"{count:4} {end}" for end, count in sorted(ends.items())))
    expect_each(ends, 63)
