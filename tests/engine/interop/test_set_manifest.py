"""A file of a pretrained set that changed since it came is noticed where it is used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sovdeck.engine.contract.atomic_io import file_sha256
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.interop import set_manifest
from sovdeck.engine.interop.set_manifest import check_unchanged, pin_file, unchanged_digest

HUB = "https://hub.example/folder"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own" / "v2Pro" / "s2Gv2Pro.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    return path


def folder_of(path: Path) -> Path:
    return path.parents[1]


def pin(path: Path, source: str) -> None:
    pin_file(folder_of(path), path.relative_to(folder_of(path)).as_posix(), source)


def test_an_untouched_file_is_not_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin(file, HUB)
    digest = file_sha256(file)
    monkeypatch.setattr(set_manifest, "file_sha256", None)
    assert unchanged_digest(folder_of(file), file) == digest


def test_a_file_with_another_time_and_the_same_bytes_passes(file: Path) -> None:
    pin(file, HUB)
    os.utime(file, ns=(1, 1))
    assert unchanged_digest(folder_of(file), file) == file_sha256(file)


def test_a_file_that_was_never_pinned_is_hashed(file: Path) -> None:
    check_unchanged(folder_of(file), file)
    assert unchanged_digest(folder_of(file), file) == file_sha256(file)


@pytest.mark.parametrize(
    ("source", "remedy"),
    [(HUB, "models get --set own"), ("/srv/incoming", "models push --from FOLDER --set own")],
)
def test_the_remedy_fits_the_way_it_came(file: Path, source: str, remedy: str) -> None:
    pin(file, source)
    file.write_bytes(b"Weights")
    os.utime(file, ns=(1, 1))
    with pytest.raises(Problem) as caught:
        check_unchanged(folder_of(file), file)
    assert remedy in caught.value.hint.en and remedy.partition(" --from")[0] in caught.value.hint.zh
    assert source in caught.value.message.en and "v2Pro/s2Gv2Pro.pth" in caught.value.message.zh
