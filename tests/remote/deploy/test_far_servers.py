"""Servers with IPv6 only, 200 ms away, that reach nothing themselves; and a wire that goes dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from far_hosts import FarHosts, far_hosts

pytestmark = [pytest.mark.netns, pytest.mark.sshd, pytest.mark.slow]


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarHosts]:
    with far_hosts(tmp_path_factory.mktemp("far"), rtt_ms=200) as hosts:
        yield hosts


@pytest.mark.long
def test_no_event_is_lost_while_the_wire_is_dark(far: FarHosts, tmp_path: Path) -> None:
    found = far.trip("stream", tmp_path)
    assert found["sound"] and found["state"] == "succeeded"
    assert found["links"] >= 2, "the dead link was noticed and left"


@pytest.mark.long
@pytest.mark.parametrize("way", ["relay", "wheels"])
def test_a_whole_deploy_to_a_server_without_any_way_out(
    far: FarHosts, tmp_path: Path, way: str
) -> None:
    found = far.trip(way, tmp_path)
    assert found["cut_off"]
    assert found["done"] == ["folders", "code", "wheels", "python", "check"]
    assert found["again"] == [["code", "kept"]] and found["module"]
