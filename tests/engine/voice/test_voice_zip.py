"""The voice's zip: stored, hashed, the same bytes each time, never half written."""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
from pathlib import Path

import pytest

from sovdeck.engine.cli import main
from sovdeck.engine.contract.atomic_io import file_sha256
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.runtime.selected_weights import (
    find_newest_weight,
    list_weight_files,
    write_last_trained,
    write_selection,
)
from sovdeck.engine.voice import pack as packing
from sovdeck.engine.voice.pack import pack_voice


@pytest.fixture
def work(tmp_path: Path) -> Path:
    files = {
        "GPT_weights/Mei/Mei-e5.ckpt": b"g5",
        "GPT_weights/Mei/Mei-e10.ckpt": b"g10" * 999,
        "GPT_weights/Mei/Mei-e10.ckpt.json": b'{"metrics": {"cross_entropy": 1.5}}',
        "SoVITS_weights/Mei/Mei_e8_s400.pth": b"PKs400",
        "SoVITS_weights/Mei/Mei_e12_s600.pth": b"PKs600",
        "SoVITS_weights/Mei/notes.txt": b"mine",
        "logs/Mei/reference/reference.wav": b"RIFF",
        "logs/Mei/reference/reference.txt": b"hi\n",
        "logs/Mei/proof.wav": b"RIFFproof",
        "logs/Mei/2-name2text.txt": b"a\tb\tc\td\n",
        "logs/Mei/states/gpt/step-00000010/model.pt": b"m" * 100,
        "logs/Mei/states/gpt/.tmp-00000011-7/model.pt": b"half",
    }
    for name, data in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path


def names(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return set(archive.namelist())


def test_the_newest_pair_with_its_reference(work: Path) -> None:
    packed = pack_voice(Layout.at(work.as_posix()), "Mei")
    assert packed.path == work / "packs" / "Mei.zip"
    assert names(packed.path) == {
        "GPT_weights/Mei/Mei-e10.ckpt",
        "GPT_weights/Mei/Mei-e10.ckpt.json",
        "SoVITS_weights/Mei/Mei_e12_s600.pth",
        "reference/reference.wav",
        "reference/reference.txt",
        "proof.wav",
        "README.txt",
        "manifest.json",
    }
    assert packed.sha256 == hashlib.sha256(packed.path.read_bytes()).hexdigest()
    assert packed.bytes == packed.path.stat().st_size


def test_the_manifest_holds_every_hash(work: Path) -> None:
    packed = pack_voice(Layout.at(work.as_posix()), "Mei")
    with zipfile.ZipFile(packed.path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        listed = {entry["path"]: entry for entry in manifest["files"]}
        for info in archive.infolist():
            assert info.compress_type == zipfile.ZIP_STORED
            if info.filename not in ("manifest.json", "README.txt"):
                data = archive.read(info)
                entry = listed.pop(info.filename)
                assert entry["sha256"] == hashlib.sha256(data).hexdigest()
                assert entry["bytes"] == len(data)
    assert listed == {}
    weights = manifest["weights"]["GPT_weights/Mei/Mei-e10.ckpt"]
    assert weights["metrics"] == {"cross_entropy": 1.5}


@pytest.mark.parametrize(("preset", "toy"), [("tiny", True), ("tinyPro", True), ("v2Pro", False)])
def test_a_toy_says_that_it_is_one(work: Path, preset: str, toy: bool) -> None:
    sidecar = work / "GPT_weights/Mei/Mei-e10.ckpt.json"
    sidecar.write_text(json.dumps({"metrics": {"preset": preset}}), "utf-8")
    with zipfile.ZipFile(pack_voice(Layout.at(work.as_posix()), "Mei").path) as archive:
        assert json.loads(archive.read("manifest.json"))["toy"] is toy
        assert ("toy" in archive.read("README.txt").decode()) is toy


def test_a_voice_that_was_started_over_is_packed_as_trained_last(work: Path) -> None:
    """The older training had more epochs, or more steps in them; its files stay where they are."""
    features = work / "logs" / "Mei"
    write_last_trained(features, work / "GPT_weights/Mei/Mei-e5.ckpt")
    write_last_trained(features, work / "SoVITS_weights/Mei/Mei_e8_s400.pth")
    layout = Layout.at(work.as_posix())
    weights = {
        name for name in names(pack_voice(layout, "Mei").path) if name.endswith(("kpt", "pth"))
    }
    assert weights == {"GPT_weights/Mei/Mei-e5.ckpt", "SoVITS_weights/Mei/Mei_e8_s400.pth"}
    assert find_newest_weight(features, work / "GPT_weights" / "Mei").name == "Mei-e5.ckpt"
    write_selection(features, "Mei-e10.ckpt", "Mei_e12_s600.pth")
    assert "GPT_weights/Mei/Mei-e10.ckpt" in names(pack_voice(layout, "Mei").path)
    (features / "chosen.json").unlink()
    (work / "GPT_weights/Mei/Mei-e5.ckpt").unlink()
    assert find_newest_weight(features, work / "GPT_weights" / "Mei").name == "Mei-e10.ckpt"


def test_the_same_bytes_each_time(work: Path) -> None:
    layout = Layout.at(work.as_posix())
    first = pack_voice(layout, "Mei").sha256
    for path in work.rglob("*"):
        if path.is_file():
            path.touch()
    assert pack_voice(layout, "Mei").sha256 == first


def test_all_epochs_and_resumable(work: Path) -> None:
    layout = Layout.at(work.as_posix())
    every = names(pack_voice(layout, "Mei", "all-epochs").path)
    assert {"GPT_weights/Mei/Mei-e5.ckpt", "SoVITS_weights/Mei/Mei_e8_s400.pth"} < every
    assert "SoVITS_weights/Mei/notes.txt" not in every
    resumable = names(pack_voice(layout, "Mei", "resumable").path)
    assert every < resumable
    assert "logs/Mei/states/gpt/step-00000010/model.pt" in resumable
    assert not [name for name in resumable if ".tmp" in name]


def test_more_than_four_gigabytes(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The size from which a zip needs its larger form, made small: 4 GB take a minute to hash.
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 2000)
    packed = pack_voice(Layout.at(work.as_posix()), "Mei")
    assert packed.bytes > 2000 and b"PK\x06\x06" in packed.path.read_bytes()
    with zipfile.ZipFile(packed.path) as archive:
        assert archive.read("GPT_weights/Mei/Mei-e10.ckpt") == b"g10" * 999


@pytest.mark.long
def test_a_weight_of_more_than_four_gigabytes_really(work: Path) -> None:
    """The larger form where it is needed: one member's size, and all that lies behind it."""
    size = (4 << 30) + 12345
    big = work / "SoVITS_weights" / "Mei" / "Mei_e12_s600.pth"
    places = {0: b"head", (4 << 30) - 2: b"over", size - 4: b"tail"}
    with big.open("wb") as sparse:
        sparse.truncate(size)
        for place, mark in places.items():
            sparse.seek(place)
            sparse.write(mark)
    packed = pack_voice(Layout.at(work.as_posix()), "Mei")
    assert packed.bytes == packed.path.stat().st_size > size
    name = "SoVITS_weights/Mei/Mei_e12_s600.pth"
    with zipfile.ZipFile(packed.path) as archive:
        assert archive.testzip() is None  # every CRC, those of the big member's 4 GiB too
        assert archive.getinfo(name).file_size == archive.getinfo(name).compress_size == size
        start = archive.getinfo(name).header_offset
        behind = [info for info in archive.infolist() if info.header_offset > start]
        assert all(info.header_offset > 4 << 30 for info in behind) and len(behind) >= 3
        listed = {
            entry["path"]: entry for entry in json.loads(archive.read("manifest.json"))["files"]
        }
    assert listed[name]["bytes"] == size and listed[name]["sha256"] == file_sha256(big)
    # Stored: the member is the file itself, at a place any tool can compute.
    with packed.path.open("rb") as file:
        file.seek(start + 26)
        lengths = struct.unpack("<HH", file.read(4))
        for place, mark in places.items():
            file.seek(start + 30 + sum(lengths) + place)
            assert file.read(4) == mark
    packed.path.unlink()  # pytest would keep all of it


def test_no_voice_yet(work: Path) -> None:
    with pytest.raises(Problem) as problem:
        pack_voice(Layout.at(work.as_posix()), "Nobody")
    assert problem.value.key == "engine.pack.no_voice"
    assert not (work / "packs").exists()


def test_too_little_space_is_seen_before_a_byte_is_written(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_SPARE_BYTES", 1 << 62)
    with pytest.raises(Problem) as problem:
        pack_voice(Layout.at(work.as_posix()), "Mei")
    assert problem.value.key == "engine.pack.no_space"
    assert list((work / "packs").iterdir()) == []


def test_a_failure_leaves_the_old_zip(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout.at(work.as_posix())
    before = pack_voice(layout, "Mei")

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(packing, "_add_text", fails)
    with pytest.raises(OSError, match="space"):
        pack_voice(layout, "Mei")
    assert [p.name for p in (work / "packs").iterdir()] == ["Mei.zip"]
    assert hashlib.sha256(before.path.read_bytes()).hexdigest() == before.sha256


def test_weights_sort_by_epoch_not_by_letters(work: Path) -> None:
    listed = [path.name for path in list_weight_files(work / "GPT_weights" / "Mei")]
    assert listed == ["Mei-e5.ckpt", "Mei-e10.ckpt"]


def test_the_command(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pack", "Mei", "--work", str(work), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["path"] == "packs/Mei.zip" and facts["files"][-1] == "manifest.json"
    assert main(["pack", "Nobody", "--work", str(work)]) == 3
    assert "Train the voice first" in capsys.readouterr().err


def test_named_references_come_along_with_their_words(work: Path) -> None:
    folder = work / "references" / "Mei"
    folder.mkdir(parents=True)
    for name in ("happy.wav", "happy.json", ".half.wav", "stray.json"):
        (folder / name).write_bytes(b"{}")
    found = names(pack_voice(Layout.at(work.as_posix()), "Mei").path)
    assert {name for name in found if name.startswith("references/")} == {
        "references/happy.wav",
        "references/happy.json",
    }


def test_packing_again_keeps_to_the_contents_that_were_asked_for(work: Path) -> None:
    layout = Layout.at(work.as_posix())
    every = names(pack_voice(layout, "Mei", "resumable").path)
    assert names(pack_voice(layout, "Mei").path) == every
    Path(layout.pack("Mei")).write_bytes(b"no zip")
    assert names(pack_voice(layout, "Mei").path) == names(pack_voice(layout, "Mei", "voice").path)
