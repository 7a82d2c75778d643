"""Which pretrained files lack, told by the names of those that are there."""

from __future__ import annotations

import pytest

from sovdeck.engine.contract.layout import VERSIONS
from sovdeck.engine.contract.pretrained_set import PRO, files_for, lacking_files, megabytes


@pytest.mark.parametrize("version", VERSIONS)
def test_everything_lacks_in_an_empty_folder_and_nothing_in_a_whole_one(version: str) -> None:
    assert sum(file.megabytes for file in lacking_files((), version)) == megabytes(version)
    assert lacking_files([file.name for file in files_for(version)], version) == []
    assert lacking_files([file.upstream for file in files_for(version)], version) == []


def test_weights_of_ones_own_stand_for_those_of_v2_only() -> None:
    names = {file.name for file in files_for("v2") if file.content_kind in ("encoder", "json")}
    own = names | {"s2G-mine.pth", "s2D-mine.pth", "s1-mine.ckpt"}
    assert lacking_files(own, "v2") == []
    assert {file.content_kind for file in lacking_files(own, PRO[0])} == {
        "generator",
        "discriminator",
        "gpt",
        "speaker",
    }


def test_files_of_v2pro_are_none_of_v2() -> None:
    names = {file.name.rpartition("/")[2] for file in files_for(PRO[0])}
    assert {file.content_kind for file in lacking_files(names, "v2")} >= {"generator", "gpt"}
