"""A list that somebody else wrote sends recordings only, whatever it names."""

from __future__ import annotations

import os
import wave
from pathlib import Path

import pytest

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.voices.dataset import read_recordings


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder as it was passed on, in a home that holds more than it."""
    folder = tmp_path / "home" / "shared"
    (folder / "wavs").mkdir(parents=True)
    for place in (folder / "wavs" / "a.wav", folder.parent / "private.wav"):
        with wave.open(str(place), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(bytes(800))
    (folder.parent / ".ssh").mkdir()
    (folder.parent / ".ssh" / "id_ed25519").write_text("PRIVATE KEY")
    return folder


def unmeasured(path: Path) -> None:
    """What a recording sounds like is no matter here."""


def recordings(folder: Path, *paths: str, wavs: Path | None = None) -> tuple[set[str], list[str]]:
    """The files a push would send but the list, and the problems it would name."""
    made = folder / "Mei.list"
    lines = [f"{path}|Mei|zh|早上好" for path in ("wavs/a.wav", *paths)]
    made.write_text("\n".join(lines), encoding="utf-8")
    found = read_recordings("Mei", made, wavs, unmeasured)
    return set(found.files) - {"Mei.list"}, [one.key for one in found.problems]


@pytest.mark.parametrize(
    "path", ["../.ssh/id_ed25519", "/etc/passwd", "../private.wav"], ids=["key", "passwd", "sound"]
)
def test_a_path_that_leads_out_is_not_sent(shared: Path, path: str) -> None:
    assert recordings(shared, path) == ({"wavs/a.wav"}, ["engine.data.outside"])


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_a_link_that_leads_out_is_not_sent(shared: Path) -> None:
    (shared / "wavs" / "b.wav").symlink_to(shared.parent / ".ssh" / "id_ed25519")
    assert recordings(shared, "wavs/b.wav") == ({"wavs/a.wav"}, ["engine.data.outside"])


def test_what_is_no_sound_is_not_sent(shared: Path) -> None:
    (shared / "wavs" / "notes.wav").write_text("not a sound, though it is called one")
    assert recordings(shared, "wavs/notes.wav") == ({"wavs/a.wav"}, ["engine.data.no_sound"])


def test_a_folder_that_a_person_names_counts(shared: Path, tmp_path: Path) -> None:
    other = tmp_path / "recordings"
    other.mkdir()
    (other / "c.wav").write_bytes((shared / "wavs" / "a.wav").read_bytes())
    assert recordings(shared, "c.wav", wavs=other) == ({"wavs/a.wav", "wavs/c.wav"}, [])
    link = tmp_path / "link"
    link.symlink_to(other)
    assert recordings(shared, "c.wav", wavs=link) == ({"wavs/a.wav", "wavs/c.wav"}, [])


@pytest.mark.parametrize(
    "head", [b"fLaC", b"OggS", b"ID3\x04", b"\xff\xfb\x90", b"\0\0\0\x20ftypM4A ", b"caff"]
)
def test_every_kind_of_sound_the_engine_decodes_is_sent(shared: Path, head: bytes) -> None:
    (shared / "wavs" / "b.m4a").write_bytes(head + bytes(40))
    assert recordings(shared, "wavs/b.m4a") == ({"wavs/a.wav", "wavs/b.m4a"}, [])


def test_a_list_of_such_lines_alone_says_why(shared: Path) -> None:
    made = shared / "Mei.list"
    made.write_text("/etc/passwd|Mei|zh|早上好\n", encoding="utf-8")
    with pytest.raises(Problem, match="outside the folder"):
        read_recordings("Mei", made, None, unmeasured)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.timeout(120)
def test_what_is_no_ordinary_file_is_not_opened(shared: Path) -> None:
    """To open a pipe waits until somebody writes into it: most likely nobody ever does."""
    os.mkfifo(shared / "wavs" / "pipe.wav")
    (shared / "wavs" / "zero.wav").symlink_to("/dev/zero")
    (shared / "wavs" / "folder.wav").mkdir()
    expected = ["engine.data.no_sound", "engine.data.outside", "engine.data.no_sound"]
    odd = ("wavs/pipe.wav", "wavs/zero.wav", "wavs/folder.wav")
    assert recordings(shared, *odd) == ({"wavs/a.wav"}, expected)
