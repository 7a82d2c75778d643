"""No archive of a server writes outside its folder, and none is half unpacked."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import struct
import threading
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote import filenames
from sovdeck.remote.voices.unpack import ArchiveLimits, extract


def make(path: Path, files: dict[str, bytes], *, deflate: bool = False) -> Path:
    kind = zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo("x")
            info.filename = info.orig_filename = name  # as it is, zipfile would tidy it
            info.compress_type = kind
            archive.writestr(info, data)
    return path


def manifest(files: dict[str, bytes]) -> bytes:
    return json.dumps(
        {
            "files": [
                {"path": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                for name, data in files.items()
            ]
        }
    ).encode()


VOICE = {
    "GPT_weights/声/声-e15.ckpt": b"gpt" * 1000,
    "SoVITS_weights/声/声_e8_s88.pth": b"sovits" * 1000,
    "README.txt": b"",
}


def test_a_voice_is_unpacked_and_verified(tmp_path: Path) -> None:
    archive = make(tmp_path / "声.zip", {**VOICE, "manifest.json": manifest(VOICE)})
    seen: list[tuple[int, int]] = []
    files = extract(archive, tmp_path / "声", report=lambda *p: seen.append(p))
    assert {p.relative_to(tmp_path / "声").as_posix(): p.read_bytes() for p in files} == {
        **VOICE,
        "manifest.json": manifest(VOICE),
    }
    assert seen[-1][0] == seen[-1][1] > 9000
    assert sorted(p.name for p in tmp_path.iterdir()) == ["声", "声.zip"]


def test_a_file_that_is_not_what_the_manifest_says_is_refused(tmp_path: Path) -> None:
    for wrong in ({**VOICE, "README.txt": b"other"}, {"manifest-only.txt": b""}):
        archive = make(tmp_path / "v.zip", {**wrong, "manifest.json": manifest(VOICE)})
        with pytest.raises(Problem, match="manifest"):
            extract(archive, tmp_path / "v")
        assert sorted(p.name for p in tmp_path.iterdir()) == ["v.zip"]


@pytest.mark.parametrize("text", [b"[]", b"{", b'{"files": [1]}', b"[" * 20000])
def test_a_manifest_that_makes_no_sense_is_refused(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(Problem, match=r"manifest\.json"):
        extract(make(tmp_path / "v.zip", {"manifest.json": text}), tmp_path / "v")


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../up",
        "a/../../up",
        "C:/x",
        "c:x",
        "a\\b",
        "..\\up",
        "a//b",
        "./a",
        "a/./b",
        "a\0b",
        "",
        "//server/share",
        "a/..",
        "\\\\?\\C:\\x",
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    archive = make(home / "v.zip", {"fine.txt": b"1", name: b"2"})
    with pytest.raises(Problem) as caught:
        extract(archive, home / "v")
    assert caught.value.key in ("remote.archive.refused", "remote.archive.broken")
    assert caught.value.exit_code is ExitCode.DATA
    assert [p.name for p in tmp_path.rglob("*")] == ["home", "v.zip"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a/File.txt", "a/file.txt"),
        ("straße", "STRASSE"),
        ("a", "a/b"),
        ("a/b", "a"),
        ("A/x", "a/y"),
        ("caf\u00e9", "cafe\u0301"),
        ("a?b", "a_b"),
        ("same", "same"),
    ],
)
def test_names_that_meet_on_some_system_are_refused(tmp_path: Path, one: str, other: str) -> None:
    path = tmp_path / "v.zip"
    with (
        zipfile.ZipFile(path, "w") as archive,
        pytest.warns(UserWarning) if one == other else (io.BytesIO()),
    ):
        archive.writestr(one, b"1")
        archive.writestr(other, b"2")
    with pytest.raises(Problem, match="twice"):
        extract(path, tmp_path / "v")


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices_are_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "v.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.create_system = 3
        info.external_attr = (mode | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(Problem, match="link"):
        extract(path, tmp_path / "v")


def test_bombs_are_refused_by_ratio_size_count_and_overlap(tmp_path: Path) -> None:
    zeros = make(tmp_path / "zeros.zip", {"z": bytes(4 << 20)}, deflate=True)
    plain = make(tmp_path / "plain.zip", {f"f{n}": b"x" * 100 for n in range(20)})
    cases = [
        (zeros, ArchiveLimits()),
        (plain, ArchiveLimits(bytes=1999)),
        (plain, ArchiveLimits(files=19)),
    ]
    overlap = bytearray(make(tmp_path / "o.zip", {"a": b"x" * 100, "b": b"y" * 100}).read_bytes())
    second = overlap.rindex(b"PK\x01\x02")  # the directory's second entry: point it at the first
    overlap[second + 42 : second + 46] = struct.pack("<I", 0)
    (tmp_path / "overlap.zip").write_bytes(overlap)
    cases.append((tmp_path / "overlap.zip", ArchiveLimits()))
    for archive, bounds in cases:
        with pytest.raises(Problem) as caught:
            extract(archive, tmp_path / "v", limits=bounds)
        assert caught.value.key == "remote.archive.refused"
    assert len(extract(plain, tmp_path / "v", limits=ArchiveLimits(bytes=2000, files=20))) == 20


def test_a_larger_file_than_declared_cannot_come_out(tmp_path: Path) -> None:
    data = bytearray(make(tmp_path / "v.zip", {"a": b"x" * 50000}, deflate=True).read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 10)  # says 10 bytes
    (tmp_path / "v.zip").write_bytes(data)
    with pytest.raises(Problem) as caught:
        extract(tmp_path / "v.zip", tmp_path / "v")
    assert caught.value.key == "remote.archive.broken"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["v.zip"]


def test_an_encrypted_or_strangely_packed_file_is_refused(tmp_path: Path) -> None:
    data = bytearray(make(tmp_path / "v.zip", {"a": b"x"}).read_bytes())
    at = data.rindex(b"PK\x01\x02")
    for offset, value in ((8, 1), (10, 97)):  # flag bits, method
        changed = bytearray(data)
        changed[at + offset] = value
        (tmp_path / "w.zip").write_bytes(changed)
        with pytest.raises(Problem) as caught:
            extract(tmp_path / "w.zip", tmp_path / "v")
        assert caught.value.key == "remote.archive.refused"


def test_names_windows_reserves_are_changed_not_refused(tmp_path: Path) -> None:
    archive = make(
        tmp_path / "v.zip", {"aux.wav": b"1", "a/CON": b"2", "q?.txt": b"3", "dot.": b""}
    )
    names = [p.relative_to(tmp_path / "v").as_posix() for p in extract(archive, tmp_path / "v")]
    assert names == ["aux_.wav", "a/CON_", "q_.txt", "dot"]


def test_an_old_folder_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "v"
    extract(make(tmp_path / "1.zip", {"one": b"1"}), folder)
    good, bad = make(tmp_path / "2.zip", {"two": b"2"}), make(tmp_path / "3.zip", {"../x": b""})
    with pytest.raises(Problem, match="already there"):
        extract(good, folder)
    with pytest.raises(Problem):
        extract(bad, folder, replace=True)
    assert [p.name for p in folder.iterdir()] == ["one"]
    extract(good, folder, replace=True)
    assert [p.name for p in folder.iterdir()] == ["two"]
    assert len(list(tmp_path.iterdir())) == 4


def test_folders_a_person_filled_stay_in_a_folder_that_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "v"
    extract(make(tmp_path / "1.zip", {"one": b"1"}), folder)
    for name in ("takes", "notes", "audition"):
        (folder / name).mkdir()
        (folder / name / "mine").write_bytes(b"mine")
    new = make(tmp_path / "2.zip", {"two": b"2", "audition/theirs": b"3"})
    extract(new, folder, replace=True, preserve=("takes", "audition", "absent"))
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert there == {"two", "takes/mine", "audition/theirs"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1.zip", "2.zip", "v"]


def test_a_torn_archive_and_a_stop_leave_nothing(tmp_path: Path) -> None:
    whole = make(tmp_path / "v.zip", VOICE).read_bytes()
    stop = threading.Event()
    stop.set()
    with pytest.raises(Problem) as caught:
        extract(tmp_path / "v.zip", tmp_path / "v", cancel=stop)
    assert caught.value.exit_code is ExitCode.INTERRUPTED
    (tmp_path / "v.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Problem) as caught:
        extract(tmp_path / "v.zip", tmp_path / "v")
    assert caught.value.key == "remote.archive.broken"
    damaged = bytearray(whole)
    damaged[whole.index(b"gptgpt")] ^= 1
    (tmp_path / "v.zip").write_bytes(damaged)
    with pytest.raises(Problem) as caught:
        extract(tmp_path / "v.zip", tmp_path / "v")
    assert caught.value.key == "remote.archive.broken"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["v.zip"]


def test_an_empty_archive_makes_an_empty_folder(tmp_path: Path) -> None:
    assert extract(make(tmp_path / "v.zip", {}), tmp_path / "v") == []
    assert (tmp_path / "v").is_dir()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_damage_to_an_archive_escapes_or_crashes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    home = tmp_path_factory.mktemp("damaged")
    whole = bytearray(make(home / "v.zip", {"a/b.txt": b"hello" * 10, "c": b""}).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    (home / "v.zip").write_bytes(whole)
    try:
        files = extract(home / "v.zip", home / "v")
    except Problem:
        assert sorted(p.name for p in home.iterdir()) == ["v.zip"]
    else:
        assert all((home / "v") in path.parents for path in files)
        assert {p.name for p in home.iterdir()} == {"v", "v.zip"}


@given(st.text())
def test_safe_names_are_safe_and_stay(name: str) -> None:
    safe = filenames.safe_name(name)
    assert filenames.is_safe_name(safe) and filenames.safe_name(safe) == safe
    assert safe not in ("", ".", "..") and not set(safe) & set('<>:"/\\|?*')
    assert len(safe.encode("utf-8")) <= filenames.MAX_NAME_BYTES


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("声.zip", "声.zip"),
        ("CON", "CON_"),
        ("con.txt", "con_.txt"),
        ("com1 .x", "com1_.x"),
        ("a:b", "a_b"),
        ("end. ", "end"),
        ("", "_"),
        ("..", "_"),
        ("..a", "..a"),
    ],
)
def test_safe_names_change_as_little_as_they_can(name: str, safe: str) -> None:
    assert filenames.safe_name(name) == safe
