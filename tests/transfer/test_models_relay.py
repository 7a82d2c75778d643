"""The pretrained set is fetched once; a copy that rotted on disk is fetched again."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from pipe_server import QUICK

from engine.contract.pretrained_set import FILES
from remote import models_relay
from remote.transfer.relay import Fetched

NAMES = {file.name for file in FILES}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], str | None]]:
    calls: list[tuple[list[str], str | None]] = []

    def fetch(urls: list[str], final: Path, *, sha256: str | None, **options: Any) -> Fetched:
        calls.append((urls, sha256))
        final.parent.mkdir(parents=True, exist_ok=True)
        final.write_bytes(b"x")
        digest = models_relay.file_digest(final)
        return Fetched(final, 1, digest, urls[0], 0, 0.0)

    monkeypatch.setattr(models_relay, "fetch", fetch)
    return calls


def gather(folder: Path) -> dict[str, Path]:
    return models_relay.gather(
        folder, ["http://mirror/"], report=lambda p: None, cancel=threading.Event(), tuning=QUICK
    )


def test_each_file_is_fetched_once(asked: list[Any], tmp_path: Path) -> None:
    found = gather(tmp_path)
    assert set(found) == NAMES and all(path.read_bytes() == b"x" for path in found.values())
    assert asked[0][0][0] == f"http://mirror/{FILES[0].upstream}" and len(asked[0][0]) > 1
    assert gather(tmp_path) == found and len(asked) == len(FILES)


@pytest.mark.parametrize("harm", ["rotten", "gone"])
def test_a_bad_copy_comes_again(asked: list[Any], tmp_path: Path, harm: str) -> None:
    path = gather(tmp_path)[FILES[0].name]
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(b"y")
    asked.clear()
    gather(tmp_path)
    assert len(asked) == 1 and asked[0][1] is not None and path.read_bytes() == b"x"


def test_torn_notes_cost_a_download_only(asked: list[Any], tmp_path: Path) -> None:
    gather(tmp_path)
    (tmp_path / models_relay.SUMS).write_text("[1", "utf-8")
    gather(tmp_path)
    assert len(asked) == 2 * len(FILES)
