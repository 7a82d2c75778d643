"""A run knows the files it starts from by what is in them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.pretrained_set import files_for
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.interop.set_manifest import pin_file
from sovdeck.engine.training.initial_weights import open_initial_weights, set_of_identity

SPEC = RunSpec("r1", "Mei", "v2", pretrained="mine")


@pytest.fixture
def pinned_set(tmp_path: Path) -> Path:
    folder = tmp_path / "pretrained" / "mine"
    for file in files_for("v2"):
        path = folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.name.encode())
        pin_file(folder, file.name, "https://hub.example/models")
    return folder


def identity(folder: Path) -> str:
    return open_initial_weights(SPEC, Layout.at(folder.parents[1].as_posix())).identity


def test_the_identity_names_the_set_and_follows_the_files(pinned_set: Path) -> None:
    first = identity(pinned_set)
    assert set_of_identity(first) == "mine" and set_of_identity("made:0-1-2") is None
    (pinned_set / "s2D2333k.pth").write_bytes(b"another discriminator")
    pin_file(pinned_set, "s2D2333k.pth", "https://hub.example/models")
    assert identity(pinned_set) != first, "a state of the old one does not go on with the new one"
    config = pinned_set / "chinese-hubert-base" / "config.json"
    config.write_bytes(b"{}")
    os.utime(config, ns=(1, 1))
    identity(pinned_set)  # no starting weight: refused when the encoder is loaded


def test_a_starting_file_that_changed_since_it_came_is_refused(pinned_set: Path) -> None:
    path = pinned_set / "s2G2333k.pth"
    path.write_bytes(b"S2G2333k.pth")
    os.utime(path, ns=(1, 1))
    with pytest.raises(Problem) as caught:
        identity(pinned_set)
    assert caught.value.key == "engine.pretrained.changed_fetched"
    assert "models get --set mine" in caught.value.sentence("en")
