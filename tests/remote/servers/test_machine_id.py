"""A machine is known by the id on its disk, wherever it is and whatever it is called."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from servers import Place

from sovdeck.engine.contract.layout import Layout
from sovdeck.remote.agent import read_script
from sovdeck.remote.servers.machine_id import check_machine_id, machine_id_warning
from sovdeck.remote.ssh.client import SSHConnection


@pytest.fixture
def link(embedded: Place) -> SSHConnection:
    return embedded.connect()


def disk(folder: Path) -> Layout:
    """A work folder as the deployment makes it."""
    argv = ["sh", "-c", read_script("make_folders.sh"), "sh", str(folder)]
    environment = {"HOME": str(folder.parent), "PATH": "/usr/bin:/bin"}
    subprocess.run(argv, check=True, capture_output=True, env=environment)
    return Layout.at(str(folder))


def test_machines_are_recognised(link: SSHConnection, tmp_path: Path) -> None:
    store, first, second = tmp_path / "ids", disk(tmp_path / "disk"), disk(tmp_path / "other")
    seen = []

    def see(name: str, layout: Layout) -> None:
        found = check_machine_id(link, name, layout, store)
        warning = machine_id_warning(found, name)
        seen.append((found.kind, "" if warning is None else warning.en))

    with link:
        see("gpu", first)
        see("gpu", first)
        link.spec = replace(link.spec, port=7)
        see("gpu", first)
        see("again", first)
        see("gpu", second)
        store.write_text("not ours")
        see("gpu", second)
        store.write_bytes(b'{"gpu": ["\xff\xfe", "\xc3"]')
        see("gpu", second)
        see("gpu", second)
        see("gpu", Layout.at(str(tmp_path / "empty")))
    kinds = [kind for kind, _ in seen]
    assert kinds == ["new", "same", "moved", "twin", "replaced", "new", "new", "same", "new"]
    assert [number for number, (_, words) in enumerate(seen) if words] == [2, 3, 4]
    assert '"gpu"' in seen[3][1] and "another address" in seen[2][1]
