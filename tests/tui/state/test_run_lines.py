"""The log of a run says how it goes while it goes: updates now and then, every epoch."""

from __future__ import annotations

from sovdeck.engine.contract.events import Event
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.run_lines import run_line, run_lines
from sovdeck.tui.state.server_models import SavedServer
from sovdeck.tui.state.store import Store


def event(seq: int, t: int, type_: str, **payload: object) -> Event:
    return Event(seq, t, "r", type_, 1, "sovits", payload)


EVENTS = (
    event(0, 1_000_000, "stage_started", total=40, unit="updates"),
    event(1, 1_001_000, "step", step=1, total=40, losses={"mel": 50.0, "kl": None}, eta_s=80.0),
    event(2, 1_002_000, "step", step=2, total=40, losses={"mel": 49.0}),
    event(3, 1_011_500, "step", step=9, total=40, losses={"mel": 41.25}),
    event(4, 1_012_000, "epoch", epoch=1, epochs=4),
    event(5, 1_013_000, "export", path="a.pth", kind="sovits", bytes=1, sha256=""),
    event(6, 1_014_000, "stage_finished", updates=40, seconds=90.0),
)


def test_an_update_now_and_then_and_every_epoch_has_a_line() -> None:
    lines, last = run_lines(EVENTS)
    assert lines == (
        "> sovits: 40 updates",
        "  sovits 1/40  mel 50.000  eta 1:20",
        "  sovits 9/40  mel 41.250",
        "= sovits: 1/4",
        "+ a.pth",
        "< sovits: 1:30",
    )
    assert last == 1_011_500
    assert run_lines(EVENTS[1:2], last) == ((), last), "the clock goes on over batches"
    assert run_line(event(9, 0, "memory", source="nvml")) == ""
    assert run_line(event(9, 0, "step", step=1, total=2, losses="none")) == "  sovits 1/2"


def test_the_log_pane_has_them_once_though_a_stream_is_read_again() -> None:
    store = Store()
    store.apply([ev.ServersLoaded((SavedServer("box", "root@h"),))])
    changed = store.apply([ev.RunEvents("box", "r", EVENTS, 5)])
    assert "log:box/r" in changed
    store.apply([ev.RunEvents("box", "r", EVENTS, 6)])
    assert store.state.runs["box", "r"].log == run_lines(EVENTS)[0]
