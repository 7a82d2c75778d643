"""Correcting a transcript changes that transcript and nothing else of the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sovdeck.engine.contract.dataset.edits import (
    LineEdit,
    apply_edit,
    numbered_lines,
    replace_line,
    replace_transcript,
)
from sovdeck.engine.contract.problem import Problem

LINES = b"a.wav|mei|ja|\xe3\x81\x82\nb.wav|mei|ja|b\n"


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (b"a|m|ja|x\nb|m|ja|y\n", b"a|m|ja|x\nb|m|ja|z\n"),
        (b"a|m|ja|x\r\nb|m|ja|y\r\n", b"a|m|ja|x\r\nb|m|ja|z\r\n"),
        (b"\xef\xbb\xbfa|m|ja|x\nb|m|ja|y", b"\xef\xbb\xbfa|m|ja|x\nb|m|ja|z"),
        (b"\xff\xfe bad\rb|m|ja|y\n\n", b"\xff\xfe bad\rb|m|ja|z\n\n"),
    ],
    ids=["unix", "windows", "mark", "foreign-bytes"],
)
def test_one_line_changes(raw: bytes, wanted: bytes) -> None:
    assert replace_line(raw, LineEdit(2, "b|m|ja|y", "b|m|ja|z")) == wanted


@given(
    st.lists(st.text(st.characters(exclude_characters="\r\n\ufeff", codec="utf-8"), min_size=1)),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.data(),
)
def test_undone_is_as_before(lines: list[str], end: str, data: st.DataObject) -> None:
    raw = end.join(lines).encode()
    shown = numbered_lines(raw)
    for number in shown:
        after = data.draw(st.sampled_from(["x", "a|b|c|日本"]))
        edit = LineEdit(number, shown[number], after)
        assert replace_line(replace_line(raw, edit), edit.inverse) == raw


@pytest.mark.parametrize("line", [0, 3, 99])
def test_a_line_that_is_not_there_is_refused(line: int) -> None:
    with pytest.raises(Problem, match="no longer"):
        replace_line(LINES, LineEdit(line, "b.wav|mei|ja|b", "x"))


def test_a_line_that_changed_meanwhile_is_refused_and_the_file_kept(tmp_path: Path) -> None:
    source = tmp_path / "V.list"
    source.write_bytes(LINES)
    with pytest.raises(Problem, match="no longer"):
        apply_edit(source, LineEdit(2, "b.wav|mei|ja|old", "x"), tmp_path / "V.bak")
    assert source.read_bytes() == LINES and os.listdir(tmp_path) == ["V.list"]


def test_words_are_kept_to_one_line_and_one_field() -> None:
    line = "wavs/a.wav|mei|ja|old"
    assert replace_transcript(line, " two\n words\t") == "wavs/a.wav|mei|ja|two words"
    for words in ("", " …! ", "a|b"):
        with pytest.raises(Problem, match="no transcript"):
            replace_transcript(line, words)


def test_saving_keeps_mode_link_and_the_first_state(tmp_path: Path) -> None:
    real, link, backup = tmp_path / "real.list", tmp_path / "V.list", tmp_path / "V.bak"
    real.write_bytes(LINES)
    real.chmod(0o640)
    link.symlink_to(real)
    apply_edit(link, LineEdit(2, "b.wav|mei|ja|b", "b.wav|mei|ja|c"), backup)
    apply_edit(link, LineEdit(2, "b.wav|mei|ja|c", "b.wav|mei|ja|d"), backup)
    assert link.is_symlink() and real.read_bytes() == LINES.replace(b"|b\n", b"|d\n")
    assert real.stat().st_mode & 0o777 == 0o640 and backup.read_bytes() == LINES
    assert sorted(os.listdir(tmp_path)) == ["V.bak", "V.list", "real.list"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    source = tmp_path / "V.list"
    source.write_bytes(LINES)
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(Problem, match="could not be saved"):
            apply_edit(source, LineEdit(2, "b.wav|mei|ja|b", "x"), tmp_path / "V.bak")
    finally:
        tmp_path.chmod(0o700)


def test_a_full_disk_leaves_the_old_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "V.list"
    source.write_bytes(LINES)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Problem, match="No space left"):
        apply_edit(source, LineEdit(2, "b.wav|mei|ja|b", "x"), tmp_path / "V.bak")
    assert source.read_bytes() == LINES and os.listdir(tmp_path) == ["V.list"]
