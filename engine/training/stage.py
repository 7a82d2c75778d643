"""One training stage from its starting point to its exported voice file."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from sovdeck.engine import __version__
from sovdeck.engine.contract import estimate
from sovdeck.engine.contract.measured import Measurement
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.time_model import TimeModel
from sovdeck.engine.runtime import rng
from sovdeck.engine.runtime.checkpoint import CheckpointStore, SavedParts
from sovdeck.engine.training import resume
from sovdeck.engine.training.context import Export, RunContext, StageHooks, StageOutcome
from sovdeck.engine.training.loop import log_interval, train
from sovdeck.engine.training.meters import LossTrend, Position, SaveTimes
from sovdeck.engine.training.task import LoopSettings, TrainingCallbacks
from sovdeck.engine.training.update_step import probe_memory

_SAVES_PAST_BEST = 3  # saves without a better one, after which an earlier epoch is suggested


class TrainingStage:
    """Runs the training loop over one `StageHooks`: resumes, saves, exports, validates."""

    def __init__(
        self, context: RunContext, hooks: StageHooks, newest: Any, checkpoints: CheckpointStore
    ) -> None:
        self._context = context
        self._hooks = hooks
        self._name = hooks.task.name
        self._checkpoints = checkpoints
        self._newest, self._faults = newest
        settings = context.spec.settings.stage(self._name)
        self._run_settings = context.spec.settings.train
        self._epochs = settings.epochs
        self._save_every_epochs = settings.save_every_epochs
        self._export_each_save = settings.export_each_save
        self._save_interval_s = 60.0 * self._run_settings.save_every_minutes
        self._saved_at = time.monotonic()
        self._state_seconds = 0.0  # of the newest one, once one was written
        self._trend = LossTrend(self._readings_per_epoch())
        self._begun_at_updates = 0
        self._loss_before = 0.0
        self._metrics: Mapping[str, float] = {}
        self._best: dict[str, Any] = {}
        self._last_export: Export | None = None
        self._save_times = SaveTimes()
        self._micro_batches = 1.0  # of an update, in the mean

    def run(self) -> StageOutcome:
        """Train to the last epoch and export it; see `loop.train` for what it raises."""
        started = time.monotonic()
        context, task = self._context, self._hooks.task
        position = self._restore_or_start()
        updates = task.epoch_updates(1)
        per_epoch = len(updates)
        if per_epoch:
            self._micro_batches = sum(map(len, updates)) / per_epoch
        settings = LoopSettings(self._epochs, self._hooks.batch_size, self._run_settings.on_oom)
        context.emit(
            "stage_started",
            self._name,
            total=per_epoch * self._epochs,
            unit="updates",
            epochs=self._epochs,
            batch=self._hooks.batch_size,
            micro_batches=self._micro_batches,
            clip_seconds=self._hooks.clips.seconds,
            step=position.step,
        )
        if per_epoch == 0:
            notice = Problem("engine.training.no_updates", ExitCode.NO_OP, stage=self._name)
            context.emit("warning", self._name, **notice.as_json())
        callbacks = TrainingCallbacks(
            context.emit,
            context.stop,
            self._save_due,
            self._save,
            self._roll_back,
            self._finish_epoch,
            context.peers,
            self._rest_s,
        )
        if context.device.kind == "cuda" and per_epoch:
            position = probe_memory(task, task.largest_batch(), position, settings, callbacks)
        position = train(task, settings, position, callbacks, self._trend)
        export = self._final_export(position)
        outcome = StageOutcome(
            self._name,
            position.updates - self._begun_at_updates,
            time.monotonic() - started,
            self._trend.first_loss,
            self._trend.last_loss,
            self._loss_before,
            self._measure_fixed_loss(),
            self._hooks.measure_change(export.path) if context.peers.is_leader else 0.0,
            export,
        )
        context.emit(
            "stage_finished",
            self._name,
            updates=outcome.updates,
            seconds=outcome.seconds,
            first_loss=outcome.first_loss,
            last_loss=outcome.last_loss,
            change=outcome.weight_change,
            before=outcome.loss_before,
            after=outcome.loss_after,
        )
        return outcome

    # Beginning ------------------------------------------------------------------------

    def _restore_or_start(self) -> Position:
        """Restore the newest saved state, or start anew; return the position to go on from."""
        context = self._context
        resume.warn_damaged_states(self._faults, context.emit, self._name)
        step = None if self._newest is None else self._newest.step
        resume.check_peers_agree(
            context.peers.gather({"state": step, **self._hooks.must_match}), self._name
        )
        resume_point = resume.choose_resume_point(
            self._newest,
            bool(self._faults),
            self._hooks.must_match,
            self._run_settings.on_change,
            self._name,
        )
        if resume_point is None:
            if context.peers.is_leader:
                self._checkpoints.delete_all()
            context.peers.barrier()
            self._loss_before = self._measure_fixed_loss()
            if context.peers.rank:
                self._seed_own_rng()
            self._save(Position())  # proves that the disk holds one; what to roll back to
            return Position()
        self._load_state(resume_point.state)
        facts = resume_point.state.facts
        self._best = dict(facts["best"])
        if facts["run"] == context.spec.run:
            self._begun_at_updates = int(facts["begun_at_step"])
            self._trend = LossTrend(self._trend.width, list(facts["first"]), list(facts["last"]))
            self._loss_before = float(facts["before"])
        else:
            self._loss_before = self._measure_fixed_loss()
            self._begun_at_updates = resume_point.position.updates
        key = "engine.training.resumed"
        if resume_point.position.epoch > self._epochs and facts["run"] != context.spec.run:
            key = "engine.training.already_there"
        notice = Problem(
            key,
            ExitCode.OK,
            stage=self._name,
            epoch=resume_point.position.epoch - 1,
            update=resume_point.position.index,
            epochs=self._epochs,
            changed=", ".join(resume_point.changed) or "-",
        )
        context.emit("warning", self._name, **notice.as_json())
        return resume_point.position

    def _measure_fixed_loss(self) -> float:
        started = time.monotonic()
        loss = self._hooks.fixed_loss()
        self._save_times.closing = time.monotonic() - started  # it is measured again at the end
        return loss

    def _readings_per_epoch(self) -> int:
        per_epoch = len(self._hooks.task.epoch_updates(1))
        readings = -(-per_epoch // log_interval(per_epoch))
        return max(1, min(readings, readings * self._epochs // 2))

    # Saving ---------------------------------------------------------------------------

    def _save_due(self) -> bool:
        if not self._save_interval_s or not self._context.peers.is_leader:
            return False
        return time.monotonic() - self._saved_at >= self._save_interval_s

    def _epoch_state_due(self) -> bool:
        """Whether a state at the end of an epoch costs little of the time since the last one.

        So a short run, whose first state by the clock is far away, does not lose an epoch either.
        """
        if not self._save_interval_s or not self._context.peers.is_leader:
            return False
        since = time.monotonic() - self._saved_at
        return self._state_seconds <= estimate.STATE_TIME_SHARE * since

    def _save(self, position: Position) -> None:
        context, started = self._context, time.monotonic()
        rng_states = context.peers.gather(rng.capture())
        if context.peers.is_leader:
            facts = {
                "position": position.as_facts(),
                "must_match": dict(self._hooks.must_match),
                "run": context.spec.run,
                "begun_at_step": self._begun_at_updates,
                "first": self._trend.first,
                "last": self._trend.last,
                "before": self._loss_before,
                "best": self._best,
                "engine": __version__,
            }
            parts = {**self._hooks.state_dict(), "rng_states": rng_states}
            saved = resume.retry_while_disk_full(
                lambda: self._checkpoints.save(position.step, parts, facts),
                context.emit,
                context.stop,
                self._name,
            )
            done = position.epoch if position.index else position.epoch - 1
            context.emit(
                "checkpoint",
                self._name,
                path=context.relative_path(saved.path),
                epoch=done,
                step=position.step,
            )
        context.peers.barrier()
        self._saved_at = time.monotonic()
        self._state_seconds = self._saved_at - started

    def _load_state(self, state: Any) -> None:
        self._hooks.load_state_dict(SavedParts(state, list(self._hooks.state_dict())))
        rng_states = state.load("rng_states")
        if len(rng_states) == self._context.peers.world_size:
            rng.restore(rng_states[self._context.peers.rank])
        else:
            self._seed_own_rng()

    def _seed_own_rng(self) -> None:
        """Seed this rank differently from others: each drops other activations."""
        rng.seed_all(self._run_settings.seed + self._context.peers.rank)

    def _roll_back(self) -> Position:
        state, faults = self._checkpoints.find_newest()
        resume.warn_damaged_states(faults, self._context.emit, self._name)
        if state is None:
            raise Problem("engine.training.no_state_left", ExitCode.DATA, stage=self._name)
        self._load_state(state)
        return Position.from_facts(state.facts["position"])

    # At the end of an epoch -----------------------------------------------------------

    def _finish_epoch(self, epoch: int, position: Position) -> None:
        if not self._is_save_epoch(epoch):
            (due,) = self._context.peers.any_rank(self._epoch_state_due())
            if due:
                self._save(position)
            return
        with self._save_times.measure():
            self._save_epoch(epoch, position)

    def _is_save_epoch(self, epoch: int) -> bool:
        return epoch == self._epochs or epoch % self._save_every_epochs == 0

    def _rest_s(self, position: Position, update_seconds: float) -> float:
        """Seconds besides updates from the middle of an epoch to the stage's end.

        As saves and the loss at the start have taken; else as planned on a device where an update
        takes what it takes here.
        """
        ahead = range(position.epoch, self._epochs + 1)
        saves = sum(map(self._is_save_epoch, ahead))
        measured, closing = self._save_times.mean, self._save_times.closing
        context, clips = self._context, self._hooks.clips
        spec = context.spec
        update = Measurement(
            self._name,
            spec.preset,
            self._hooks.batch_size,
            update_seconds,
            spec.run,
            self._micro_batches,
            clips.seconds,
        )
        gpu_name = context.device.name if context.device.kind == "cuda" else None
        times = TimeModel(spec.preset, gpu_name, torch.get_num_threads(), (update,))
        if closing is None:
            closing = times.end_stage(self._name, clips.seconds)
        if measured is not None:
            return saves * measured + closing
        exports = saves if self._export_each_save else min(saves, 1)
        speaks = exports and self._name == "gpt"
        loading = times.speaker_load(chinese=False) if speaks else 0.0
        exporting = exports * times.export(self._name, clips) + loading
        return saves * times.save(self._name, clips) + exporting + closing

    def _save_epoch(self, epoch: int, position: Position) -> None:
        last = epoch == self._epochs
        self._validate(epoch, position.step)
        export = None
        if self._context.peers.is_leader and (self._export_each_save or last):
            export = self._export(epoch, position)
            self._last_export = export
        self._save(position)
        if export is not None:
            self._hooks.sample(epoch, export.path)

    def _validate(self, epoch: int, step: int) -> None:
        """Measure the held-out clips; the best epoch is a mark, never a reason to stop."""
        if not self._context.peers.is_leader:
            return
        self._metrics = self._hooks.validate()
        if not self._metrics:
            return
        value = next(iter(self._metrics.values()))
        is_best = not self._best or value < self._best["value"]
        saves_since = 0 if is_best else self._best["saves_since"] + 1
        best_so_far = {"epoch": epoch, "value": value} if is_best else self._best
        self._best = {**best_so_far, "saves_since": saves_since}
        self._context.emit(
            "validation",
            self._name,
            epoch=epoch,
            step=step,
            metrics=dict(self._metrics),
            best=is_best,
        )
        if saves_since == _SAVES_PAST_BEST:
            notice = Problem(
                "engine.training.past_best",
                ExitCode.OK,
                stage=self._name,
                epoch=epoch,
                best=self._best["epoch"],
            )
            self._context.emit("warning", self._name, **notice.as_json())

    def _export(self, epoch: int, position: Position) -> Export:
        context = self._context
        export = resume.retry_while_disk_full(
            lambda: self._hooks.export(epoch, position, self._metrics),
            context.emit,
            context.stop,
            self._name,
        )
        context.emit(
            "export",
            self._name,
            **{**asdict(export), "path": context.relative_path(export.path)},
            epoch=epoch,
        )
        return export

    def _final_export(self, position: Position) -> Export:
        """The last epoch's file, written again when an earlier attempt died before it."""
        if not self._context.peers.is_leader:
            return Export(Path(), self._name, 0, "")
        return self._last_export or self._export(position.epoch - 1, position)
