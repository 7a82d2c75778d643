"""Servers with IPv6 only, 200 ms away, that reach nothing themselves; and a wire that goes dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from far_ground import Ground, far_ground

pytestmark = [pytest.mark.netns, pytest.mark.sshd, pytest.mark.slow]


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with far_ground(tmp_path_factory.mktemp("far"), rtt_ms=200) as ground:
        yield ground


def test_no_event_is_lost_while_the_wire_is_dark(far: Ground, tmp_path: Path) -> None:
    found = far.trip("stream", tmp_path)
    assert found["sound"] and found["state"] == "succeeded"
    assert found["links"] >= 2, "the dead link was noticed and left"


@pytest.mark.parametrize("way", ["relay", "wheels"])
def test_a_whole_deploy_to_a_server_without_any_way_out(
    far: Ground, tmp_path: Path, way: str
) -> None:
    found = far.trip(way, tmp_path)
    assert found["cut_off"]
    assert found["done"] == ["folders", "code", "wheels", "python", "check"]
    assert found["again"] == [["code", "kept"]] and found["module"]
