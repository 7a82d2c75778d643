"""Trying it here, made up: a server called demo and a run on it."""

from __future__ import annotations

from engine.contract.problem import Problem
from tui.services.fake_run import running_run
from tui.services.fake_world import FakeWorld
from tui.services.protocols import Cancel, Emit
from tui.state import events as ev
from tui.state.facts import SavedServer
from tui.state.work import JobStatus

RUN = "demo-1"


class FakePractice:
    """`problem` is raised instead when set."""

    def __init__(self, world: FakeWorld) -> None:
        self.world = world
        self.problem: Problem | None = None

    def start(self, emit: Emit, cancel: Cancel) -> None:
        self.world.call("practice")
        if self.problem is not None:
            raise self.problem
        self.world.saved = [SavedServer("demo", "demo@[::1]:40022")]
        self.world.streams[RUN] = running_run(self.world.now(), RUN, "Demo")
        emit(ev.ServersLoaded(tuple(self.world.saved)))
        emit(ev.ServerChosen("demo"))
        job = JobStatus("demo", RUN, "running", "Demo", started=self.world.now())
        emit(ev.JobSeen(job, self.world.now()))
        emit(ev.RunChosen("demo", RUN))
