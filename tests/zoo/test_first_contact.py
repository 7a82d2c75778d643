"""Each kind of server says at `server add`, `doctor` and `deploy` what is odd about it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

_TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(_TESTS / "zoo"), str(_TESTS / "remote" / "deploy")]

from journeys import JOURNEYS, Journey, travel  # noqa: E402 - tests/ is not a package
from zoo_servers import why_not  # noqa: E402

pytestmark = [pytest.mark.long, pytest.mark.sshd, pytest.mark.netns]


@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda journey: journey.server.kind)
def test_first_contact(journey: Journey) -> None:
    if reason := why_not():
        pytest.skip(reason)
    assert travel(journey).wrong == ""
