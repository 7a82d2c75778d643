"""What a server says of a book is taken as a stranger's word."""

from __future__ import annotations

from typing import Any

import pytest

from sovdeck.remote.speech.book_reading import (
    BookFile,
    ChapterOfBook,
    _local_name,
    _parse_index,
    _parse_update,
)

SHA = "a" * 64
FILE = {"name": "001.mp3", "bytes": 5, "sha256": SHA}


def chapter(**changes: Any) -> dict[str, Any]:
    row = {"event": "chapter", "number": 1, "of": 2, "title": "One", "seconds": 3.5}
    return {**row, "files": [FILE], **changes}


def test_a_chapter_is_taken_as_it_is() -> None:
    files = (BookFile("001.mp3", 5, SHA),)
    assert _parse_update(chapter()) == ChapterOfBook(1, 2, "One", 3.5, files)


@pytest.mark.parametrize(
    "name",
    ["../x.mp3", "/etc/x.mp3", "a/b.mp3", "..", ".x.mp3", "x.sh", "a\\b.mp3", "CON.mp3", "", 7],
)
def test_no_file_of_a_chapter_has_a_name_that_leaves_its_folder(name: object) -> None:
    assert _parse_update(chapter(files=[{**FILE, "name": name}])) is None
    assert _parse_update(chapter(files=[FILE, {**FILE, "name": name}])) is None


@pytest.mark.parametrize("change", [{"bytes": "5"}, {"sha256": "x"}, {"bytes": 1e300}])
def test_a_file_without_its_digest_and_size_is_none(change: dict[str, Any]) -> None:
    assert _parse_update(chapter(files=[{**FILE, **change}])) is None


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("The Storm", "001 The Storm.mp3"),
        ("a/b: c?", "001 a_b_ c_.mp3"),
        ("..", "001.mp3"),
        ("第一章", "001 第一章.mp3"),
        ("x" * 200, f"001 {'x' * 60}.mp3"),
        ("", "001.mp3"),
    ],
)
def test_a_title_becomes_a_name_that_every_system_takes(title: str, name: str) -> None:
    found = _parse_update(chapter(title=title))
    assert isinstance(found, ChapterOfBook)
    assert _local_name(found, found.files[0]) == name


def test_texts_hold_no_control_characters_and_bad_rows_are_left_out() -> None:
    found = _parse_index(
        {
            "title": "a\x1b[2Jb",
            "checked": "yes",
            "chapters": [chapter(), "x", chapter(files=[])],
            "doubtful": [
                {"sentence": 3, "bytes": 9, "sha256": SHA, "doubts": ["lost", 7], "text": "x\x07"},
                {"sentence": -1, "bytes": 9, "sha256": SHA},
                {"sentence": 4},
            ],
        }
    )
    assert (found.title, found.checked, len(found.chapters)) == ("ab", False, 1)
    (doubtful,) = found.doubtful
    assert (doubtful.wav.name, doubtful.text) == ("000003.wav", "x")
    assert _parse_update({"event": "unheard of"}) is None
