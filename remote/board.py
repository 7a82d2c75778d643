"""Every run of one server as a person follows it: its state, and what its events say."""

from __future__ import annotations

from dataclasses import dataclass

from engine.contract.fold import RunState
from remote import job
from remote.job_state import JobState
from remote.replay import Replay, read_state
from remote.studio import Studio


@dataclass(frozen=True)
class Row:
    """One run: the supervisor's word, and the fold of its events so far."""

    server: str
    job: JobState
    run: RunState


class Board:
    """Looks at one server again and again; what was read once is not asked for again."""

    def __init__(self, studio: Studio, last: int) -> None:
        self.studio = studio
        self._last = last
        self._read: dict[str, tuple[JobState, Replay]] = {}

    def look(self) -> tuple[Row, ...]:
        """The newest runs, oldest first; Problem when the server cannot be asked."""
        link, layout = self.studio.link(), self.studio.layout()
        rows = []
        for state in job.runs(link, layout)[-self._last :]:
            before, replay = self._read.get(state.run, (None, Replay()))
            # An ended attempt writes nothing more; what it wrote was read after it had ended.
            if before is None or not (before.ended and before.attempt == state.attempt):
                replay = read_state(link, job.handle(layout, state.run), replay)
                self._read[state.run] = state, replay
            rows.append(Row(self.studio.name, state, replay.state))
        return tuple(rows)
