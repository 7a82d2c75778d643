"""A folder comes home file by file, each whole and verified, and only what is missing."""

from __future__ import annotations

import os
import random
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pipe_server import QUICK, LocalLink, LocalStream, Server

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote import filenames
from sovdeck.remote.errors import InputClosed
from sovdeck.remote.transfer.agent import remote_files
from sovdeck.remote.transfer.core.progress import TransferMeter
from sovdeck.remote.transfer.download.files import INCOMING_PREFIX, pull_files, split_missing
from sovdeck.remote.transfer.download.tar_batches import DownloadItem

MIB = 1 << 20


def noise(count: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(count)


FILES = {
    "a.txt": b"a",
    "empty": b"",
    "sub/ odd 'name' $x\nbreak 声": noise(70_000, 1),
    "sub/deep/-rf": noise(1000, 2),
    "large.bin": noise(9 * MIB, 3),
}
HERE = {**FILES, "sub/ odd 'name' $x_break 声": FILES["sub/ odd 'name' $x\nbreak 声"]}
HERE.pop("sub/ odd 'name' $x\nbreak 声")


def lay(server: Server, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        server.put(f"out/{name}", data)


@dataclass
class PulledFolder:
    files: int
    bytes: int
    kept_files: int


def fetch(server: Server, laptop: Path, folder: str = "out", **options: Any) -> PulledFolder:
    """List, compare and pull a folder, as a sync does."""
    options = {"report": lambda p: None, "cancel": threading.Event(), "tuning": QUICK, **options}
    link = server.connect()
    try:
        found = remote_files.list_files(link, folder)
        items = []
        for one in found:
            path = filenames.safe_relative_path(one.path)
            assert path is not None
            items.append(DownloadItem(one.path, one.size, laptop / "got" / path))
        missing, same = split_missing(link, folder, found, items)
        pull_files(
            server.connect,
            folder,
            missing,
            laptop / "got",
            first=link,
            meter=TransferMeter(),
            on_received=lambda item, sha256: None,
            bandwidth=None,
            **options,
        )
    finally:
        link.close()
    return PulledFolder(len(missing), sum(item.size for item in missing), len(same))


def here(laptop: Path) -> dict[str, bytes]:
    folder = laptop / "got"
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_a_folder_comes_and_a_second_time_nothing_does(server: Server, laptop: Path) -> None:
    lay(server, FILES)
    done = fetch(server, laptop)
    assert here(laptop) == HERE
    assert (done.files, done.bytes, done.kept_files) == (5, sum(map(len, FILES.values())), 0)
    (laptop / "got/mine.txt").write_bytes(b"stays")
    (laptop / "got/a.txt").write_bytes(b"b")  # same size, other content
    again = fetch(server, laptop)
    assert (again.files, again.bytes, again.kept_files) == (1, 1, 4)
    assert here(laptop) == {**HERE, "mine.txt": b"stays"}


def test_a_cut_and_a_stop_lose_no_file(server: Server, laptop: Path) -> None:
    files = {f"{n:03}": noise(40_000, n) for n in range(200)}
    lay(server, files)
    stop = threading.Event()

    def weather(link: LocalLink, total: int) -> None:
        if total > 5 * MIB:
            stop.set()
        elif total > 2 * MIB and len(server.weather.links) == 2:
            link.cut()

    server.weather.on_bytes = weather
    with pytest.raises(Problem, match="Stopped by you"):
        fetch(server, laptop, cancel=stop)
    some = {name: data for name, data in here(laptop).items() if "/" not in name}
    assert some.items() <= files.items() and len(some) > 60
    server.weather.on_bytes = lambda link, total: None
    done = fetch(server, laptop)
    assert done.kept_files == len(some) and here(laptop) == files


@pytest.mark.parametrize("then", [b"3" * 50, b"3" * 150, None], ids=["shorter", "longer", "gone"])
def test_a_file_that_changes_after_it_was_named_is_noticed(
    server: Server, laptop: Path, then: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(server, {"a": b"1" * 100, "b": b"2" * 100})
    from sovdeck.remote.transfer.agent import remote_files as questions

    path = server.home / "out/a"
    true_offered = questions.list_files

    def offered(link: Any, folder: str) -> Any:
        found = true_offered(link, folder)
        if then is None:
            path.unlink()
        else:
            path.write_bytes(then)
        return found

    monkeypatch.setattr(questions, "list_files", offered)
    with pytest.raises(Problem) as caught:
        fetch(server, laptop)
    assert caught.value.key == "remote.transfer.changed"
    assert "a" not in here(laptop)


def test_a_small_file_damaged_on_the_way_is_not_taken(
    server: Server, laptop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(server, {"a": noise(5000)})
    true_read = LocalStream.read

    def read(self: LocalStream, n: int = 65536) -> bytes:
        data = true_read(self, n)
        return data[:-1] + b"?" if len(data) > 4000 and not data.endswith(b"\0") else data

    monkeypatch.setattr(LocalStream, "read", read)
    with pytest.raises(Problem) as caught:
        fetch(server, laptop)
    assert caught.value.key == "remote.transfer.changed" and "a" not in here(laptop)


def test_large_files_share_their_connections(server: Server, laptop: Path) -> None:
    """On a far line a log-in takes a second, and servers count them."""
    files = {f"{n}.pth": noise(20 * MIB + n, n) for n in range(4)}
    lay(server, {**files, "small": b"s"})
    fetch(server, laptop, tuning=replace(QUICK, connections=3))
    assert here(laptop) == {**files, "small": b"s"}
    assert len(server.weather.links) == 3 and not server.weather.alive()


def test_a_large_file_after_a_cut_has_connections_of_its_own(server: Server, laptop: Path) -> None:
    files = {f"{n}.pth": noise(12 * MIB, n) for n in range(3)}
    lay(server, files)
    cut = threading.Event()

    def weather(link: LocalLink, total: int) -> None:
        if total > 14 * MIB and not cut.is_set():
            cut.set()
            for one in server.weather.alive():
                one.cut()

    server.weather.on_bytes = weather
    fetch(server, laptop, tuning=replace(QUICK, connections=2))
    assert here(laptop) == files and cut.is_set() and not server.weather.alive()


def test_a_missing_and_an_empty_folder(server: Server, laptop: Path) -> None:
    with pytest.raises(Problem) as caught:
        fetch(server, laptop)
    assert caught.value.key == "remote.transfer.no_such_file"
    (server.home / "out").mkdir()
    assert fetch(server, laptop).files == 0


def test_an_agent_that_ended_before_it_read_says_why(
    server: Server, laptop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder went meanwhile: whether the names still reach the agent is a matter of time."""
    lay(server, {"a.txt": b"a"})
    write = LocalStream.write

    def refuse(stream: LocalStream, data: bytes) -> None:
        if b"a.txt" in data:
            shutil.rmtree(server.home / "out", ignore_errors=True)
            raise InputClosed("test")
        write(stream, data)

    monkeypatch.setattr(LocalStream, "write", refuse)
    with pytest.raises(Problem) as caught:
        fetch(server, laptop)
    assert caught.value.key == "remote.transfer.no_such_file"


def test_two_pulls_into_one_folder_share_no_file_that_is_on_its_way(
    server: Server, laptop: Path
) -> None:
    theirs = {
        f"{folder}/{folder}-{number}": noise(2_000, 1000 * seed + number)
        for seed, folder in enumerate(("out", "more"))
        for number in range(150)
    }
    for name, data in theirs.items():
        server.put(name, data)
    with ThreadPoolExecutor() as pool:
        both = [pool.submit(fetch, server, laptop, folder) for folder in ("out", "more")]
        assert [one.result().files for one in both] == [150, 150]
    assert here(laptop) == {name.partition("/")[2]: data for name, data in theirs.items()}


def test_what_a_killed_pull_left_goes_a_day_later(server: Server, laptop: Path) -> None:
    lay(server, {"a.txt": b"a"})
    old, young = (laptop / "got" / f"{INCOMING_PREFIX}{name}" for name in ("old", "young"))
    for one in (old, young):
        one.mkdir(parents=True)
        (one / "0").write_bytes(b"half")
    yesterday = time.time() - 90_000
    os.utime(old, (yesterday, yesterday))
    fetch(server, laptop)
    assert here(laptop) == {"a.txt": b"a", f"{young.name}/0": b"half"}
