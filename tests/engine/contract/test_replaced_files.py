"""A file is replaced whole, also where the system refuses for a moment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sovdeck.engine.contract.atomic_io import write_atomic


@pytest.mark.parametrize(("platform", "refusals"), [("win32", 3), ("win32", 1000), ("linux", 1)])
def test_windows_alone_waits_a_while_for_a_reader(
    platform: str, refusals: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "settings"
    path.write_bytes(b"old")
    left, replace = [PermissionError(13, "in use")] * refusals, Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if left:
            raise left.pop()
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr(sys, "platform", platform)
    if platform == "win32" and refusals == 3:
        write_atomic(path, b"new")
        assert path.read_bytes() == b"new"
        return
    with pytest.raises(PermissionError):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old" and [*tmp_path.iterdir()] == [path]
