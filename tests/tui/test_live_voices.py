"""Whether a server may be switched off: not while any run there may still write."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tui.services import live_voices


class Clock(threading.Event):
    """A cancel token whose waits take no time but are counted."""

    waits = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.waits += 1
        return False


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[list[bool]]:
    """What each look at the runs finds: one `ended` a run; the last look repeats."""
    found: list[list[bool]] = []

    def seen() -> Iterator[list[Any]]:
        while True:
            ended = found.pop(0) if len(found) > 1 else found[0]
            yield [SimpleNamespace(ended=one) for one in ended]

    answers = seen()
    monkeypatch.setattr(live_voices.job, "runs", lambda link, layout: next(answers))
    return found


@pytest.mark.parametrize(
    ("found", "busy", "waits"),
    [
        ([[]], False, 0),
        ([[True, True]], False, 0),
        ([[True, False], [True, True]], False, 1),
        ([[False], [False], [True]], False, 2),
        ([[True, False]], True, live_voices.ENDING_LOOKS),
    ],
    ids=["no-run", "all-ended", "ends-in-a-moment", "ends-later", "goes-on"],
)
def test_a_run_just_ending_gets_a_moment(
    looks: list[list[bool]],
    monkeypatch: pytest.MonkeyPatch,
    found: list[list[bool]],
    busy: bool,
    waits: int,
) -> None:
    looks += found
    monkeypatch.setattr(live_voices, "ask", lambda link, connect, question: question(link))
    studio = SimpleNamespace(link=lambda: None, connect=None, layout=lambda: None)
    clock = Clock()
    assert live_voices.still_at_work(studio, clock) is busy  # type: ignore[arg-type]
    assert clock.waits == waits
