"""The practice service, made up: a server called demo and a run on it."""

from __future__ import annotations

from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.services.fakes.run import running_run
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.services.protocols import Cancel, Emit
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.models import JobStatus
from sovdeck.tui.state.server_models import SavedServer

RUN = "demo-1"


class FakePractice:
    """Raises `problem` instead of starting when it is set."""

    def __init__(self, world: FakeWorld) -> None:
        self.world = world
        self.problem: Problem | None = None

    def start(self, emit: Emit, cancel: Cancel) -> None:
        """Replace the saved servers by the practice server and start its run."""
        self.world.record_call("practice")
        if self.problem is not None:
            raise self.problem
        self.world.saved = [SavedServer("demo", "demo@[::1]:40022")]
        self.world.streams[RUN] = running_run(self.world.now(), RUN, "Demo")
        emit(ev.ServersLoaded(tuple(self.world.saved)))
        emit(ev.ServerChosen("demo"))
        job = JobStatus("demo", RUN, "running", "Demo", started=self.world.now())
        emit(ev.JobSeen(job, self.world.now()))
        emit(ev.RunChosen("demo", RUN))
