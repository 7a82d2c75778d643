"""A machine is known by the id on its disk, wherever it is and whatever it is called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from servers import Place

from remote.acquaintance import meet, sentence
from remote.link import Link


@pytest.fixture
def link(embedded: Place) -> Link:
    return embedded.connect()


def test_machines_are_recognised(link: Link, tmp_path: Path) -> None:
    store, disk, other_disk = tmp_path / "ids", str(tmp_path / "disk"), str(tmp_path / "other")
    seen = []

    def see(name: str, folder: str) -> None:
        found = meet(link, name, folder, store)
        said = sentence(found, name)
        seen.append((found.kind, "" if said is None else said.en))

    with link:
        see("gpu", disk)
        see("gpu", disk)
        link.spec = replace(link.spec, port=7)
        see("gpu", disk)
        see("again", disk)
        see("gpu", other_disk)
        store.write_text("not ours")
        see("gpu", other_disk)
    kinds = [kind for kind, _ in seen]
    assert kinds == ["new", "same", "moved", "twin", "replaced", "new"]
    assert [bool(words) for _, words in seen] == [False, False, True, True, True, False]
    assert '"gpu"' in seen[3][1] and "another address" in seen[2][1]
