"""A pull is whole or absent, from every interruption."""

from __future__ import annotations

import hashlib
import os
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from pipe_server import QUICK, LocalLink, Server

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.transfer.core.part_journal import RemoteFile
from sovdeck.remote.transfer.core.progress import TransferProgress
from sovdeck.remote.transfer.core.ranges import RangeSet
from sovdeck.remote.transfer.download.file import PullResult, pull
from sovdeck.remote.transfer.download.part_file import PartFile

MIB = 1 << 20


def noise(count: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(count)


def fetch(server: Server, laptop: Path, path: str = "voice.zip", **options: Any) -> PullResult:
    options = {"report": lambda p: None, "cancel": threading.Event(), "tuning": QUICK, **options}
    return pull(server.connect, path, laptop, **options)


def leftovers(laptop: Path) -> list[str]:
    return sorted(p.name for p in laptop.iterdir())


@pytest.mark.parametrize("size", [0, 1, 32768, 261120, 261121, 3 * MIB + 17])
def test_a_file_arrives_whole_and_verified(server: Server, laptop: Path, size: int) -> None:
    data = noise(size)
    server.put("voice.zip", data)
    seen: list[TransferProgress] = []
    done = fetch(server, laptop, report=seen.append)
    assert done.path.read_bytes() == data
    assert done.sha256 == hashlib.sha256(data).hexdigest()
    assert (done.bytes, done.resumed_bytes, done.protocol) == (size, 0, "sftp")
    assert leftovers(laptop) == ["voice.zip"]
    assert seen[-1].done == seen[-1].total == size and seen[-1].phase == "done"


def test_without_sftp_plain_commands_do_the_same_and_say_so(server: Server, laptop: Path) -> None:
    data = noise(9 * MIB + 5)
    server.put("voice.zip", data)
    server.weather.sftp = False
    done = fetch(server, laptop)
    assert done.path.read_bytes() == data and done.sha256 == hashlib.sha256(data).hexdigest()
    assert done.protocol == "exec"


@pytest.mark.parametrize("sftp", [True, False])
def test_a_line_that_breaks_is_taken_up_again(server: Server, laptop: Path, sftp: bool) -> None:
    data = noise(12 * MIB)
    server.put("voice.zip", data)
    server.weather.sftp = sftp
    cuts = [2 * MIB, 5 * MIB, 9 * MIB]

    def weather(link: LocalLink, total: int) -> None:
        if cuts and total > cuts[0]:
            cuts.pop(0)
            link.cut()

    server.weather.on_bytes = weather
    done = fetch(server, laptop)
    assert done.path.read_bytes() == data and not cuts
    assert done.retries >= 3
    # Not from zero each time: what came over the line is little more than the file itself.
    assert server.weather.received < len(data) + 3 * 5 * MIB


def test_a_line_that_goes_silent_is_noticed(server: Server, laptop: Path) -> None:
    data = noise(6 * MIB)
    server.put("voice.zip", data)
    once = [2 * MIB]

    def weather(link: LocalLink, total: int) -> None:
        if once and total > once[0]:
            once.pop()
            link.hush()

    server.weather.on_bytes = weather
    assert fetch(server, laptop).path.read_bytes() == data


def test_a_server_that_stays_away_ends_the_pull_which_then_resumes(
    server: Server, laptop: Path
) -> None:
    data = noise(8 * MIB)
    server.put("voice.zip", data)
    gone = threading.Event()

    def weather(link: LocalLink, total: int) -> None:
        if total > 6 * MIB:
            gone.set()
            link.cut()

    def refuse() -> None:
        if gone.is_set():
            raise Problem("remote.transfer.cut", ExitCode.UNREACHABLE)

    server.weather.on_bytes, server.weather.on_connect = weather, refuse
    with pytest.raises(Problem) as caught:
        fetch(server, laptop)
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    assert "voice.zip" not in leftovers(laptop) and "voice.zip.part" in leftovers(laptop)

    server.weather.on_bytes = lambda link, total: None
    server.weather.on_connect = lambda: None
    before = server.weather.received
    done = fetch(server, laptop)
    assert done.path.read_bytes() == data
    assert done.resumed_bytes > 6 * MIB - 4 * MIB
    assert server.weather.received - before < len(data) - done.resumed_bytes + MIB
    assert leftovers(laptop) == ["voice.zip"]


def test_a_file_that_is_here_already_is_not_fetched_again(server: Server, laptop: Path) -> None:
    server.put("voice.zip", noise(5 * MIB))
    fetch(server, laptop)
    before = server.weather.received
    again = fetch(server, laptop)
    assert again.resumed_bytes == 5 * MIB and server.weather.received - before < 4096
    server.put("voice.zip", noise(5 * MIB, seed=1))  # other content of the same size
    assert fetch(server, laptop).path.read_bytes() == noise(5 * MIB, seed=1)


def test_bytes_damaged_here_are_fetched_again_alone(
    server: Server, laptop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = noise(20 * MIB)
    server.put("voice.zip", data)
    true_write = PartFile.write
    spoilt = [9 * MIB]

    def write(self: PartFile, offset: int, part: memoryview) -> None:
        true_write(self, offset, part)
        if spoilt and offset <= spoilt[0] < offset + len(part):
            true_write(self, spoilt.pop(), memoryview(b"\xff" * 8))

    monkeypatch.setattr(PartFile, "write", write)
    done = fetch(server, laptop)
    assert done.path.read_bytes() == data and not spoilt
    assert server.weather.received < 20 * MIB + QUICK.block + MIB


def test_a_server_that_serves_other_bytes_than_it_hashes_is_refused(
    server: Server, laptop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put("voice.zip", noise(MIB))
    true_write = PartFile.write

    def write(self: PartFile, offset: int, part: memoryview) -> None:
        true_write(self, offset, memoryview(bytes(part)[:-1] + b"x"))

    monkeypatch.setattr(PartFile, "write", write)
    with pytest.raises(Problem, match="differs"):
        fetch(server, laptop)
    assert "voice.zip" not in leftovers(laptop)


@pytest.mark.parametrize("change", ["rewrite", "shrink", "grow"])
def test_a_file_that_changes_under_the_pull_is_noticed(
    server: Server, laptop: Path, change: str
) -> None:
    file = server.put("voice.zip", noise(24 * MIB))
    once = [True]

    def weather(link: LocalLink, total: int) -> None:
        if once and total > 2 * MIB:
            once.clear()
            sizes = {"rewrite": 24 * MIB, "shrink": 5 * MIB, "grow": 25 * MIB}
            file.write_bytes(noise(sizes[change], seed=7))

    server.weather.on_bytes = weather
    try:
        done = fetch(server, laptop)
    except Problem as problem:
        assert problem.key == "remote.transfer.changed"
        assert "voice.zip" not in leftovers(laptop)
        server.weather.on_bytes = lambda link, total: None
        done = fetch(server, laptop)
    # Whichever way it went, what stands here is the file as it is there now.
    assert done.path.read_bytes() == file.read_bytes()


def test_same_bytes_at_a_new_time_resume(server: Server, laptop: Path) -> None:
    file = server.put("voice.zip", noise(32 * MIB))
    stop = threading.Event()

    def watch(progress: TransferProgress) -> None:
        journal = laptop / "voice.zip.part.journal"
        if journal.exists() and b"sha256" in journal.read_bytes():
            stop.set()

    with pytest.raises(Problem, match="Stopped by you"):
        fetch(server, laptop, cancel=stop, bandwidth=8 * MIB, report=watch)
    os.utime(file, (1, 1))
    done = fetch(server, laptop)
    assert done.resumed_bytes > 0 and done.path.read_bytes() == file.read_bytes()


def test_cancel_keeps_what_came(server: Server, laptop: Path) -> None:
    server.put("voice.zip", noise(30 * MIB))
    stop = threading.Event()
    with pytest.raises(Problem) as caught:
        fetch(
            server,
            laptop,
            cancel=stop,
            bandwidth=4 * MIB,
            report=lambda p: stop.set() if p.done > 3 * MIB else None,
        )
    assert caught.value.exit_code is ExitCode.INTERRUPTED
    assert caught.value.hint.en
    assert fetch(server, laptop).resumed_bytes > 2 * MIB


def test_a_missing_file_says_so(server: Server, laptop: Path) -> None:
    with pytest.raises(Problem) as caught:
        fetch(server, laptop, "packs/none.zip")
    assert caught.value.key == "remote.transfer.no_such_file"
    assert caught.value.exit_code is ExitCode.DATA
    server.weather.sftp = False
    with pytest.raises(Problem) as caught:
        fetch(server, laptop, "packs/none.zip")
    assert caught.value.key == "remote.transfer.no_such_file"
    assert "none.zip" not in leftovers(laptop)


def test_it_does_not_start_without_disk_space(
    server: Server, laptop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put("voice.zip", noise(MIB))
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("U", (), {"free": MIB})())
    with pytest.raises(Problem) as caught:
        fetch(server, laptop)
    assert caught.value.key == "remote.transfer.no_space"
    assert "voice.zip" not in leftovers(laptop)


def test_two_pulls_of_one_file_do_not_mix(server: Server, laptop: Path) -> None:
    server.put("voice.zip", noise(MIB))
    first = PartFile(laptop / "voice.zip")
    try:
        with pytest.raises(Problem, match="Another sovdeck"):
            fetch(server, laptop)
    finally:
        first.close()
    assert fetch(server, laptop).bytes == MIB


def test_a_server_that_takes_two_connections_is_enough(server: Server, laptop: Path) -> None:
    data = noise(24 * MIB)
    server.put("voice.zip", data)
    server.weather.most_links = 2
    server.weather.sftp = False  # commands always want several connections
    done = fetch(server, laptop)
    assert done.path.read_bytes() == data
    assert 1 <= len(server.weather.links) < 12


def test_names_that_windows_refuses_are_changed(server: Server, laptop: Path) -> None:
    server.put("packs/ein Wort: 声?.zip", b"x")
    assert fetch(server, laptop, "packs/ein Wort: 声?.zip").path.name == "ein Wort_ 声_.zip"
    assert fetch(server, laptop, "packs/ein Wort: 声?.zip", name="b.zip").path.name == "b.zip"


def test_a_bandwidth_cap_holds(server: Server, laptop: Path) -> None:
    server.put("voice.zip", noise(6 * MIB))
    done = fetch(server, laptop, bandwidth=4 * MIB, verify=False)
    # One second of burst is allowed: 6 MiB at 4 MiB/s take at least half a second.
    assert done.seconds > 0.4 and done.sha256 is None


def test_offsets_past_four_gigabytes(server: Server, laptop: Path) -> None:
    """A sparse file of 5 GiB, of which all but three places are said to be here."""
    size = 5 << 30
    file = server.put("voice.zip", b"")
    places = [0, (4 << 30) - 7, size - 1000]
    with file.open("r+b") as sparse:
        sparse.truncate(size)
        for place in places:
            sparse.seek(place)
            sparse.write(b"here it is")
    kept = RangeSet([(0, size)])
    for place in places:
        kept.remove(place, place + 1000)
    part = PartFile(laptop / "voice.zip")
    part.begin(RemoteFile("voice.zip", size, int(file.stat().st_mtime)), kept, None)
    part.close()
    done = fetch(server, laptop, verify=False)
    assert done.bytes == size and done.resumed_bytes == size - 3000
    with done.path.open("rb") as here:
        for place in places:
            here.seek(place)
            assert here.read(12) == b"here it is\0\0"
