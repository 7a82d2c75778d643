"""A run's state from its event file: what `ps` and a new screen begin with."""

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

    state: RunState = RunState()
    offset: int = 0


def read_state(link: Link, run: RunHandle, known: Replay | None = None) -> Replay:
    """Fold all complete events after `known`; an absent file has none."""
    known = known or Replay()
    argv = ["tail", "-c", f"+{known.offset + 1}", "--", str(run.folder.events)]
    whole, newline, _unfinished = link.run(argv, timeout=_SLOW_LINK_S).out.rpartition(b"\n")
    events = [event for line in whole.split(b"\n") if (event := parse(line)) is not None]
    return Replay(fold(known.state, events), known.offset + len(whole) + len(newline))
