"""Whether a server may be switched off: not while any run there may still write."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from sovdeck.remote.transfer.core.part_journal import RemoteFile
from sovdeck.tui.services.live import voices


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
    monkeypatch.setattr(voices.job_client, "list_runs", lambda connection, layout: next(answers))
    return found


@pytest.mark.parametrize(
    ("found", "busy", "waits"),
    [
        ([[]], False, 0),
        ([[True, True]], False, 0),
        ([[True, False], [True, True]], False, 1),
        ([[False], [False], [True]], False, 2),
        ([[True, False]], True, voices.ENDING_POLLS),
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
    monkeypatch.setattr(
        voices, "retry_on_new_connection", lambda connection, connect, call: call(connection)
    )
    session = SimpleNamespace(connection=lambda: None, connect=None, layout=lambda: None)
    clock = Clock()
    assert voices.has_active_run_after_grace(session, clock) is busy  # type: ignore[arg-type]
    assert clock.waits == waits


def test_weights_of_each_version_are_listed_under_one_voice() -> None:
    paths = (
        "SoVITS_weights_v2Pro/Mei/Mei_e8_s64.pth",
        "SoVITS_weights/Mei/Mei_e8_s64.pth",
        "GPT_weights_v2Pro/Mei/Mei-e5.ckpt",
        "GPT_weights_v2Pro/Mei/Mei-e5.ckpt.json",
        "packs/Mei.zip",
    )
    (voice,) = voices.parse_voice_listing("box", [RemoteFile(path, 9, 1) for path in paths])
    assert [(row.stage, row.version, row.epoch, row.step) for row in voice.checkpoints] == [
        ("gpt", "v2Pro", 5, None),
        ("sovits", "v2", 8, 64),
        ("sovits", "v2Pro", 8, 64),
    ]
    assert voice.pack == "packs/Mei.zip"
