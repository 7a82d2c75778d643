"""A run's state from its whole event file, read once: what `ps` and a new screen begin with."""

from __future__ import annotations

from dataclasses import dataclass

from engine.contract.events import parse
from engine.contract.fold import RunState, fold
from remote.job import RunHandle
from remote.link import Link

_SLOW_LINK_S = 300.0


@dataclass(frozen=True)
class Replay:
    """The folded state, and the byte offset at which following goes on."""

    state: RunState
    offset: int


def read_state(link: Link, run: RunHandle) -> Replay:
    """Fold all complete events of the run; an absent file is the empty state."""
    result = link.run(["cat", "--", str(run.folder.events)], timeout=_SLOW_LINK_S)
    whole, newline, _unfinished = result.out.rpartition(b"\n")
    events = [event for line in whole.split(b"\n") if (event := parse(line)) is not None]
    return Replay(fold(RunState(), events), len(whole) + len(newline))
