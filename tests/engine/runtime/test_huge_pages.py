"""Huge pages change where memory lies, never what is in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sovdeck.engine.runtime import huge_pages

THP = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def huge_kb() -> int:
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("AnonHugePages"))


def test_large_blocks_are_settled_and_keep_their_content() -> None:
    block = np.arange(8 << 20, dtype=np.int64)  # 64 MB
    huge_pages.move_to_huge_pages()
    assert (np.diff(block) == 1).all() and block[0] == 0
    if THP.is_file() and "[never]" not in THP.read_text(encoding="utf-8"):
        assert huge_kb() >= 32 << 10


def test_where_there_is_no_proc_nothing_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huge_pages, "_MAPS", tmp_path / "none")
    monkeypatch.setattr(huge_pages, "ctypes", None)  # would fail if it were asked
    huge_pages.move_to_huge_pages()
