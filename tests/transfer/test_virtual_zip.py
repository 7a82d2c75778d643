"""The archive put together here is the one the server would have made, byte for byte."""

from __future__ import annotations

import copy
import io
import json
import os
import random
import signal
import subprocess
import sys
import threading
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipe_server import QUICK, LocalLink, Server

from engine.contract.layout import Layout
from engine.contract.problem import ExitCode, Problem
from engine.pack import outline as engine_outline
from engine.pack import pack
from engine.pack import plan as engine_plan
from remote.archive import extract
from remote.transfer import outline
from remote.transfer.outline import Outline, Plan
from remote.transfer.part_file import PartFile
from remote.transfer.progress import Progress
from remote.transfer.pull import Pulled
from remote.transfer.stored_zip import StoredZip
from remote.transfer.virtual_zip import pull_virtual

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20


def by_zipfile(path: Path, files: list[tuple[str, bytes]]) -> bytes:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o644 << 16
            info.file_size = len(data)
            with archive.open(info, "w") as member:
                member.write(data)
    return path.read_bytes()


def by_layout(files: list[tuple[str, bytes]]) -> bytes:
    layout = StoredZip([(name, len(data)) for name, data in files])
    crcs = [zlib.crc32(data) for _, data in files]
    body = b"".join(
        layout.header(slot, crc) + data
        for slot, crc, (_, data) in zip(layout.slots, crcs, files, strict=True)
    )
    assert len(body) == layout.directory_at
    return body + layout.directory(crcs)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=9)


@settings(max_examples=60)
@given(st.dictionaries(NAMES, st.binary(max_size=40), max_size=5))
def test_small_archives_equal_zipfile(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    pairs = sorted(files.items())
    made = by_zipfile(tmp_path_factory.getbasetemp() / "v.zip", pairs)
    assert by_layout(pairs) == made
    assert StoredZip([(name, len(data)) for name, data in pairs]).size == len(made)


@pytest.mark.slow
def test_many_members_equal_zipfile(tmp_path: Path) -> None:
    pairs = [(f"{n}", b"") for n in range(65_600)]  # past 65535: the zip64 end record
    assert by_layout(pairs) == by_zipfile(tmp_path / "v.zip", pairs)


class Sparse(io.FileIO):
    """A file in which long zeros take no room."""

    def write(self, data: Any) -> int:
        if len(data) == len(ZEROS) and bytes(data) == ZEROS:
            self.seek(len(ZEROS), io.SEEK_CUR)
            return len(ZEROS)
        return super().write(data)


ZEROS = bytes(16 << 20)


@pytest.mark.slow
def test_archives_past_four_gigabytes_equal_zipfile(tmp_path: Path) -> None:
    """Members on either side of each zip64 limit, and offsets beyond it."""
    sizes = [("small", 10), ("large", 3 << 30), ("after", 2 << 30)]
    if sys.version_info >= (3, 11, 4):  # gh-103861: its header was wrong before
        sizes.insert(1, ("near", 2_100_000_000))
    layout = StoredZip(sizes)
    crcs = []
    with Sparse(tmp_path / "made.zip", "w+") as made:
        with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
            for name, size in sizes:
                info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
                info.create_system, info.external_attr = 3, 0o644 << 16
                info.file_size = size
                with archive.open(info, "w") as member:
                    for at in range(0, size, len(ZEROS)):
                        member.write(ZEROS[: min(len(ZEROS), size - at)])
                crcs.append(info.CRC)
        assert layout.size == made.seek(0, io.SEEK_END) > 5_000_000_000
        for slot, crc in zip(layout.slots, crcs, strict=True):
            made.seek(slot.header)
            assert made.read(slot.data - slot.header) == layout.header(slot, crc)
        made.seek(layout.directory_at)
        assert made.read() == layout.directory(crcs)


@pytest.fixture
def voice(server: Server) -> Layout:
    """A work folder with what a run leaves."""
    chance = random.Random(1)
    for name, size in (
        ("GPT_weights/声 A/声 A-e15.ckpt", 7 * MIB + 1), ("GPT_weights/声 A/声 A-e10.ckpt", 99),
        ("SoVITS_weights/声 A/声 A_e8_s88.pth", 5 * MIB), ("logs/声 A/proof.wav", 1000),
        ("logs/声 A/reference/clip.wav", 70_000), ("logs/声 A/reference/clip.txt", 0),
    ):  # fmt: skip
        server.put(f"work/{name}", chance.randbytes(size))
    return Layout.at(str(server.home / "work"))


What = tuple[Plan, Outline]


def asked(voice: Layout, contents: str = "voice") -> What:
    """Plan and outline as they come over the line."""
    plan = json.loads(json.dumps(engine_plan(voice, "声 A", contents)))
    found = json.loads(json.dumps(engine_outline(voice, "声 A", contents)))
    return outline.parse_plan(plan), outline.parse(found)


def fetch(server: Server, laptop: Path, what: What, **options: Any) -> Pulled:
    options = {"report": lambda p: None, "cancel": threading.Event(), "tuning": QUICK, **options}
    plan, found = what
    return pull_virtual(server.connect, plan, lambda: found, "work/", laptop, **options)


@pytest.mark.parametrize("sftp", [True, False])
@pytest.mark.parametrize("contents", ["voice", "all-epochs", "resumable"])
def test_it_is_the_archive_the_engine_packs(
    server: Server, laptop: Path, voice: Layout, sftp: bool, contents: str
) -> None:
    server.weather.sftp = sftp
    what = asked(voice, contents)
    done = fetch(server, laptop, what)
    packed = pack(voice, "声 A", contents)
    assert done.path.name == packed.path.name
    assert done.path.read_bytes() == packed.path.read_bytes()
    assert done.bytes == packed.bytes
    assert done.way == ("sftp" if sftp else "exec")
    assert len(extract(done.path, laptop / "声 A")) == len(packed.files)
    assert [p.name for p in laptop.iterdir() if p.name.startswith("声 A.zip.")] == []


def test_the_command_prints_the_outline(voice: Layout) -> None:
    command = [sys.executable, "-m", "engine", "pack", "声 A", "--outline", "--work",
               str(voice.work), "--json"]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    plan, found = map(json.loads, done.stdout.decode("utf-8").splitlines())
    assert (outline.parse_plan(plan), outline.parse(found)) == asked(voice)
    assert not Path(voice.pack("声 A")).exists()


def test_a_cut_and_a_stop_go_on(server: Server, laptop: Path, voice: Layout) -> None:
    what = asked(voice)
    stop = threading.Event()

    def weather(link: LocalLink, total: int) -> None:
        if total > 9 * MIB:
            stop.set()
        elif total > 3 * MIB and len(server.weather.links) == 1:
            link.cut()

    server.weather.on_bytes = weather
    with pytest.raises(Problem, match="Stopped by you"):
        fetch(server, laptop, what, cancel=stop)
    server.weather.on_bytes = lambda link, total: None
    before = server.weather.received
    done = fetch(server, laptop, what)
    assert done.path.read_bytes() == pack(voice, "声 A").path.read_bytes()
    assert done.resumed_bytes > 4 * MIB
    assert server.weather.received - before < 12 * MIB - done.resumed_bytes + MIB


@pytest.mark.parametrize("at", [5 * MIB, 8 * MIB + 1, 11 * MIB])
def test_a_kill_costs_at_most_four_mebibytes(
    server: Server, laptop: Path, voice: Layout, at: int
) -> None:
    script, home = Path(__file__).with_name("killed_pull.py"), str(server.home)
    killed = subprocess.run(
        [sys.executable, str(script), home, str(laptop), "声 A", str(at), "voice"],
        cwd=script.parent, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    done = fetch(server, laptop, asked(voice))
    assert done.path.read_bytes() == pack(voice, "声 A").path.read_bytes()
    assert done.resumed_bytes >= at - 4 * MIB
    assert server.weather.received < done.bytes - done.resumed_bytes + 100_000


def test_a_member_that_changed_since_is_noticed(
    server: Server, laptop: Path, voice: Layout
) -> None:
    what = asked(voice)
    path = server.home / "work/GPT_weights/声 A/声 A-e15.ckpt"
    data = path.read_bytes()
    for other in (data[:-1] + b"\0", data + b"more", data[:100]):
        path.write_bytes(other)
        with pytest.raises(Problem) as caught:
            fetch(server, laptop, what)
        assert caught.value.key == "remote.transfer.changed"
        assert not (laptop / what[0].name).exists()


def test_damaged_blocks_come_again_alone(
    server: Server, laptop: Path, voice: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = asked(voice)
    true_write = PartFile.write
    spoilt = [6 * MIB]

    def write(self: PartFile, offset: int, part: memoryview) -> None:
        true_write(self, offset, part)
        if spoilt and offset <= spoilt[0] < offset + len(part):
            true_write(self, spoilt.pop(), memoryview(b"\xff\x00" * 8))

    monkeypatch.setattr(PartFile, "write", write)
    done = fetch(server, laptop, what)
    assert done.path.read_bytes() == pack(voice, "声 A").path.read_bytes() and not spoilt
    assert server.weather.received < done.bytes + QUICK.block + MIB


def test_an_archive_that_is_here_is_not_fetched_again(
    server: Server, laptop: Path, voice: Layout
) -> None:
    first = fetch(server, laptop, asked(voice))
    before = server.weather.received
    again = fetch(server, laptop, asked(voice))
    assert again.bytes == first.bytes
    assert server.weather.received == before and again.resumed_bytes > 12 * MIB
    with first.path.open("r+b") as file:
        file.seek(14)  # the checksum of the first member
        file.write(b"\0\0\0\0")
    fetch(server, laptop, asked(voice))
    assert first.path.read_bytes() == pack(voice, "声 A").path.read_bytes()


def test_the_files_come_while_the_server_still_reads_them(
    server: Server, laptop: Path, voice: Layout
) -> None:
    plan, found = asked(voice)
    all_here = threading.Event()

    def late() -> Outline:
        assert all_here.wait(60), "no byte came before the outline"
        return found

    def report(progress: Progress) -> None:
        if progress.done == progress.total:
            all_here.set()

    options: Any = {"report": report, "cancel": threading.Event(), "tuning": QUICK}
    done = pull_virtual(server.connect, plan, late, "work", laptop, **options)
    assert done.path.read_bytes() == pack(voice, "声 A").path.read_bytes()


def test_an_outline_of_other_files_is_no_archive(
    server: Server, laptop: Path, voice: Layout
) -> None:
    plan, _ = asked(voice)
    (server.home / "work/logs/声 A/proof.wav").write_bytes(b"another length")
    with pytest.raises(Problem) as caught:
        fetch(server, laptop, (plan, asked(voice)[1]))
    assert caught.value.key == "remote.transfer.changed"
    other = outline.parse_plan(engine_plan(voice, "声 A"))
    assert other.mark != plan.mark and asked(voice)[1].fits(other)


def test_an_outline_that_reaches_outside_is_refused(voice: Layout) -> None:
    good = engine_outline(voice, "声 A")

    def bad(change: Any) -> dict[str, Any]:
        raw = copy.deepcopy(good)
        change(raw)
        return raw

    changes: list[Any] = [
        lambda raw: raw.update(outline=1),
        lambda raw: raw.update(name="../x.zip"),
        lambda raw: raw["members"][0].update(source="/etc/passwd"),
        lambda raw: raw["members"][0].update(source="a/../../x"),
        lambda raw: raw["members"][0].update(path="../x"),
        lambda raw: raw["members"][0].update(bytes=-1),
        lambda raw: raw["members"][0].update(bytes=True),
        lambda raw: raw["members"][0].pop("sha256"),
        lambda raw: raw["members"][0].update(crc32=1 << 32),
        lambda raw: raw["members"][-1].update(text="other"),
        lambda raw: raw.update(members=5),
    ]
    for change in changes:
        with pytest.raises(Problem) as caught:
            outline.parse(bad(change))
        assert caught.value.exit_code is ExitCode.DATA
    for raw in (None, [], "x", {}):
        with pytest.raises(Problem):
            outline.parse(raw)
