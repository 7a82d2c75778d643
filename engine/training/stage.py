"""One training stage from its starting point to its exported voice file."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import engine
from engine.contract.problem import ExitCode, Problem
from engine.runtime import chance
from engine.runtime.checkpoint import Checkpoints
from engine.training import resume
from engine.training.loop import readings_every, train
from engine.training.progress import Position, Trend
from engine.training.room import Craft, Export, Room, StageOutcome
from engine.training.task import Desk, LoopSettings
from engine.training.updating import probe

_PAST_BEST = 3  # saves without a better one, after which an earlier epoch is suggested


class TrainingStage:
    """Runs the loop around one craft: resumes, saves, exports, judges."""

    def __init__(self, room: Room, craft: Craft, newest: Any, checkpoints: Checkpoints) -> None:
        self._room = room
        self._craft = craft
        self._name = craft.task.name
        self._checkpoints = checkpoints
        self._newest, self._faults = newest
        spec = room.spec
        self._epochs = int(spec.value(f"{self._name}.epochs"))
        self._every = int(spec.value(f"{self._name}.save_every_epochs"))
        self._each = bool(spec.value(f"{self._name}.export_each_save"))
        self._seconds_between = 60.0 * int(spec.value("train.save_every_minutes"))
        self._saved_at = time.monotonic()
        self._trend = Trend(self._readings_an_epoch())
        self._begun_at_step = 0
        self._before = 0.0
        self._metrics: Mapping[str, float] = {}
        self._best: dict[str, Any] = {}
        self._last_export: Export | None = None

    def run(self) -> StageOutcome:
        """Train to the last epoch and export it; see `loop.train` for what it raises."""
        started = time.monotonic()
        room, task = self._room, self._craft.task
        position = self._begin()
        per_epoch = len(task.order(1))
        settings = LoopSettings(self._epochs, self._craft.batch, room.spec.value("train.on_oom"))
        room.emit(
            "stage_started", self._name, total=per_epoch * self._epochs, unit="updates",
            epochs=self._epochs, batch=self._craft.batch, step=position.step,
        )  # fmt: skip
        if per_epoch == 0:
            notice = Problem("engine.training.no_updates", ExitCode.NO_OP, stage=self._name)
            room.emit("warning", self._name, **notice.as_json())
        desk = Desk(
            room.emit, room.stop, self._save_due, self._save, self._roll_back,
            self._finish_epoch, room.peers,
        )  # fmt: skip
        if room.device.kind == "cuda" and per_epoch:
            position = probe(task, task.heaviest(), position, settings, desk)
        position = train(task, settings, position, desk, self._trend)
        export = self._exported(position)
        outcome = StageOutcome(
            self._name, position.step - self._begun_at_step, time.monotonic() - started,
            self._trend.first_loss, self._trend.last_loss,
            self._before, self._craft.fixed_loss(),
            self._craft.change(export.path) if room.peers.leads else 0.0, export,
        )  # fmt: skip
        room.emit(
            "stage_finished", self._name, updates=outcome.updates, seconds=outcome.seconds,
            first_loss=outcome.first_loss, last_loss=outcome.last_loss, change=outcome.change,
            before=outcome.before, after=outcome.after,
        )  # fmt: skip
        return outcome

    # Beginning ------------------------------------------------------------------------

    def _begin(self) -> Position:
        """Where to go on, with everything put back."""
        room = self._room
        resume.announce(self._faults, room.emit, self._name)
        step = None if self._newest is None else self._newest.step
        resume.agree(room.peers.gather({"state": step, **self._craft.must_match}), self._name)
        on_change = room.spec.value("train.on_change")
        found = resume.decide(
            self._newest, bool(self._faults), self._craft.must_match, on_change, self._name
        )
        if found is None:
            if room.peers.leads:
                self._checkpoints.drop()
            room.peers.wait()
            self._before = self._craft.fixed_loss()
            if room.peers.rank:
                self._own_dice()
            self._save(Position())  # proves that the disk holds one; what to roll back to
            return Position()
        self._load(found.state)
        facts = found.state.facts
        self._best = dict(facts["best"])
        if facts["run"] == room.spec.run:
            self._begun_at_step = int(facts["begun_at_step"])
            self._trend = Trend(self._trend.width, list(facts["first"]), list(facts["last"]))
            self._before = float(facts["before"])
        else:
            self._before = self._craft.fixed_loss()
            self._begun_at_step = found.position.step
        key = "engine.training.resumed"
        if found.position.epoch > self._epochs and facts["run"] != room.spec.run:
            key = "engine.training.already_there"
        notice = Problem(
            key, ExitCode.OK, stage=self._name, epoch=found.position.epoch - 1,
            update=found.position.index, epochs=self._epochs,
            changed=", ".join(found.changed) or "-",
        )  # fmt: skip
        room.emit("warning", self._name, **notice.as_json())
        return found.position

    def _readings_an_epoch(self) -> int:
        per_epoch = len(self._craft.task.order(1))
        readings = -(-per_epoch // readings_every(per_epoch))
        return max(1, min(readings, readings * self._epochs // 2))

    # Saving ---------------------------------------------------------------------------

    def _save_due(self) -> bool:
        if not self._seconds_between or not self._room.peers.leads:
            return False
        return time.monotonic() - self._saved_at >= self._seconds_between

    def _save(self, position: Position) -> None:
        room = self._room
        dice = room.peers.gather(chance.capture())
        if room.peers.leads:
            facts = {
                "position": position.as_facts(), "must_match": dict(self._craft.must_match),
                "run": room.spec.run, "begun_at_step": self._begun_at_step,
                "first": self._trend.first, "last": self._trend.last, "before": self._before,
                "best": self._best,
                "engine": engine.__version__,
            }  # fmt: skip
            parts = {**self._craft.state(), "dice": dice}
            saved = resume.patiently(
                lambda: self._checkpoints.save(position.step, parts, facts),
                room.emit, room.stop, self._name,
            )  # fmt: skip
            done = position.epoch if position.index else position.epoch - 1
            room.emit(
                "checkpoint", self._name, path=room.relative(saved.path), epoch=done,
                step=position.step,
            )  # fmt: skip
        room.peers.wait()
        self._saved_at = time.monotonic()

    def _load(self, state: Any) -> None:
        device = self._room.device.torch
        parts = {name: state.load(name, device) for name in self._craft.state()}
        self._craft.restore(parts)
        dice = state.load("dice")
        if len(dice) == self._room.peers.world:
            chance.restore(dice[self._room.peers.rank])
        else:
            self._own_dice()

    def _own_dice(self) -> None:
        """Every process drops other activations."""
        chance.seed_all(int(self._room.spec.value("train.seed")) + self._room.peers.rank)

    def _roll_back(self) -> Position:
        state, faults = self._checkpoints.newest()
        resume.announce(faults, self._room.emit, self._name)
        if state is None:
            raise Problem("engine.training.no_state_left", ExitCode.DATA, stage=self._name)
        self._load(state)
        return Position.from_facts(state.facts["position"])

    # At the end of an epoch -----------------------------------------------------------

    def _finish_epoch(self, epoch: int, position: Position) -> None:
        last = epoch == self._epochs
        if not last and epoch % self._every:
            return
        self._judge(epoch, position.step)
        export = None
        if self._room.peers.leads and (self._each or last):
            export = self._export(epoch, position)
            self._last_export = export
        self._save(position)
        if export is not None:
            self._craft.sample(epoch, export.path)

    def _judge(self, epoch: int, step: int) -> None:
        """Measure the held-out clips; the best epoch is a mark, never a reason to stop."""
        if not self._room.peers.leads:
            return
        self._metrics = self._craft.validate()
        if not self._metrics:
            return
        value = next(iter(self._metrics.values()))
        best = not self._best or value < self._best["value"]
        since = 0 if best else self._best["saves_since"] + 1
        kept = {"epoch": epoch, "value": value} if best else self._best
        self._best = {**kept, "saves_since": since}
        self._room.emit(
            "validation",
            self._name,
            epoch=epoch,
            step=step,
            metrics=dict(self._metrics),
            best=best,
        )
        if since == _PAST_BEST:
            notice = Problem(
                "engine.training.past_best", ExitCode.OK, stage=self._name, epoch=epoch,
                best=self._best["epoch"],
            )  # fmt: skip
            self._room.emit("warning", self._name, **notice.as_json())

    def _export(self, epoch: int, position: Position) -> Export:
        room = self._room
        export = resume.patiently(
            lambda: self._craft.export(epoch, position, self._metrics),
            room.emit, room.stop, self._name,
        )  # fmt: skip
        room.emit(
            "export", self._name, **{**asdict(export), "path": room.relative(export.path)},
            epoch=epoch,
        )  # fmt: skip
        return export

    def _exported(self, position: Position) -> Export:
        """The last epoch's file, written again when an earlier attempt died before it."""
        if not self._room.peers.leads:
            return Export(Path(), self._name, 0, "")
        return self._last_export or self._export(position.epoch - 1, position)
