"""A stage that hangs is noticed once; one that merely works slowly is not."""

from __future__ import annotations

from typing import Any

from sovdeck.engine.runtime.stall_watchdog import StallWatchdog


class Scene:
    def __init__(self) -> None:
        self.now = 0.0
        self.stalls: list[dict[str, Any]] = []
        self.watch = StallWatchdog(self.record, min_stall_s=60, clock=lambda: self.now)

    def record(self, type: str, stage: str | None = None, **payload: Any) -> None:
        if type == "stall":
            self.stalls.append({"stage": stage, **payload})

    def steps(self, count: int, every: float) -> None:
        for step in range(count):
            self.now += every
            self.watch.emit("step", "gpt", step=step, total=99, losses={"total": 1.0})

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.watch.check()


def test_a_hung_stage_is_said_once() -> None:
    scene = Scene()
    scene.steps(5, every=1)
    scene.wait(59)
    assert scene.stalls == []
    scene.wait(2)
    scene.wait(100)
    assert scene.stalls == [{"stage": "gpt", "seconds": 61, "why": "no_step"}]
    scene.steps(1, every=1)
    scene.wait(1000)
    assert len(scene.stalls) == 2


def test_slow_steps_are_no_stall() -> None:
    scene = Scene()
    scene.steps(5, every=30)
    scene.wait(299)
    assert scene.stalls == []
    scene.wait(2)
    assert len(scene.stalls) == 1


def test_saving_and_the_end_of_a_stage_are_signs_of_life() -> None:
    scene = Scene()
    scene.steps(5, every=1)
    scene.now += 50
    scene.watch.emit("checkpoint", "gpt", path="p", epoch=1, step=5)
    scene.wait(50)
    assert scene.stalls == []
    scene.watch.emit("memory", source="psutil")  # figures go on even when training hangs
    scene.wait(20)
    assert len(scene.stalls) == 1
    scene.watch.emit("stage_finished", "gpt", updates=5, seconds=1.0)
    scene.wait(9999)
    assert len(scene.stalls) == 1
