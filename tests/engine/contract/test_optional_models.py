"""Whisper and g2pW: fetched from the first source that has them, whole or absent."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sovdeck.engine.contract import optional_models
from sovdeck.engine.contract.optional_models import G2PW, WHISPER, fetch_model, parse_models
from sovdeck.engine.contract.problem import Problem


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Tests print nothing."""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder on loopback, and its address."""
    root = tmp_path / "hub"
    root.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield root, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def write_files(folder: Path, files: tuple[str, ...]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        (folder / file).write_bytes(file.encode() * 100)


@pytest.fixture(autouse=True)
def no_public_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional_models, "hubs", lambda: ("http://127.0.0.1:9",))
    monkeypatch.setattr(optional_models, "_MODELSCOPE", "http://127.0.0.1:9")
    download = optional_models.download_file
    monkeypatch.setattr(optional_models, "download_file", partial(download, attempts=1, pause=0))


def test_single_files_come_from_a_source_and_are_not_fetched_twice(
    hub: tuple[Path, str], tmp_path: Path
) -> None:
    root, address = hub
    write_files(root / WHISPER.folder, WHISPER.files)
    told: list[str] = []
    here = tmp_path / "pretrained"
    fetch_model(WHISPER, here, [address], lambda file, have, total: told.append(file))
    assert WHISPER.is_complete(here) and f"{WHISPER.folder}/model.bin" in told
    told.clear()
    (here / WHISPER.folder / "config.json").unlink()
    fetch_model(WHISPER, here, [address], lambda file, have, total: told.append(file))
    assert set(told) == {f"{WHISPER.folder}/config.json"}


def test_a_published_place_is_asked_after_ones_own(
    hub: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, address = hub
    write_files(root / WHISPER.modelscope, WHISPER.files)
    monkeypatch.setattr(optional_models, "_MODELSCOPE", address)
    fetch_model(WHISPER, tmp_path / "pretrained", [], lambda *_: None)
    assert WHISPER.is_complete(tmp_path / "pretrained")


@pytest.mark.parametrize("inside", ["G2PWModel", "G2PWModel_1.1/"])
def test_an_archive_gives_its_files_and_nothing_else(tmp_path: Path, inside: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    with zipfile.ZipFile(folder / G2PW.archive, "w") as zipped:
        for file in G2PW.files:
            zipped.writestr(f"{inside}/{file.replace('g2pW.onnx', 'g2pw.onnx')}", file)
        zipped.writestr("../escaped.txt", "no")
        zipped.writestr("__MACOSX/G2PWModel/config.py", "no")
    here = tmp_path / "pretrained"
    fetch_model(G2PW, here, [str(folder)], lambda *_: None)
    assert sorted(p.name for p in (here / G2PW.folder).iterdir()) == sorted(G2PW.files)
    assert (here / G2PW.folder / "config.py").read_text() == "config.py"
    assert not (here / G2PW.archive).exists() and not (tmp_path / "escaped.txt").exists()


def test_no_source_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / G2PW.archive).write_bytes(b"not a zip")
    for model in (WHISPER, G2PW):
        with pytest.raises(Problem) as stop:
            fetch_model(model, tmp_path / "pretrained", [str(tmp_path)], lambda *_: None)
        assert stop.value.key == "engine.optional.no_source"
        assert f"--with {model.name}" in stop.value.hint.en


def test_names_are_checked() -> None:
    assert parse_models("whisper, G2PW,whisper") == (WHISPER, G2PW)
    assert parse_models("") == ()
    with pytest.raises(Problem) as unknown:
        parse_models("whisper,uvr5")
    assert unknown.value.facts["name"] == "uvr5"
    assert replace(WHISPER, folder="x").sources()[0].endswith("resolve/main")
