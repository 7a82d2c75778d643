"""Seconds of the parts of a run on one device: the model of `estimate`, times what was measured.

Each kind of work has a correction of its own, since machines differ in them. A processor's speed
shows in all that it computes: what was not measured there is as much slower as the rest. Files are
written and read at the pace of the disk.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sovdeck.engine.contract import estimate
from sovdeck.engine.contract.measured import WORK, Correction, Measurement, find_correction
from sovdeck.engine.contract.spec import TINY_PRESETS

_MAX_SAMPLE_S = 8.0  # clips that last longer are not spoken as samples


@dataclass(frozen=True)
class SavedClips:
    """What a save works on: how many clips, the mean length of all, and of those spoken."""

    trained: int
    held_out: int
    seconds: float
    sample_seconds: float

    @classmethod
    def of(cls, trained: int, held_out: int, lengths: Sequence[float]) -> SavedClips:
        """From the lengths of all clips of a stage."""
        mean = sum(lengths) / len(lengths) if lengths else 0.0
        return cls(trained, held_out, mean, sample_sound_seconds(lengths))


def sample_sound_seconds(lengths: Sequence[float]) -> float:
    """How long a sample sounds: as long as its clip, of which long ones are not taken."""
    taken = [one for one in lengths if one <= _MAX_SAMPLE_S] or sorted(lengths)[:1]
    return sum(taken) / len(taken) if taken else 0.0


class TimeModel:
    """Times of one preset on one device. `gpu_name` None: on the CPU."""

    def __init__(
        self, preset: str, gpu_name: str | None, cores: int, measured: Sequence[Measurement]
    ) -> None:
        self.preset = preset
        self._gpu_name, self._cores = gpu_name, cores
        # Times of the toys say nothing of full networks, nor these of the toys.
        tiny = preset in TINY_PRESETS
        self._measured = [one for one in measured if (one.preset in TINY_PRESETS) == tiny]

    def correction(self, work: str, batch: int = 1) -> Correction | None:
        """What measurements of this kind of work say; None without one."""
        return find_correction(self._measured, work, self.preset, batch, self._modelled)

    @cached_property
    def machine_factor(self) -> float:
        """What is multiplied by where nothing was measured; 1 for a GPU, whose model is known."""
        found = [self.correction(work) for work in WORK] if self._gpu_name is None else []
        factors = [math.log(one.factor) for one in found if one is not None]
        return math.exp(sum(factors) / len(factors)) if factors else 1.0

    def update(self, stage: str, batch: int, micro_batches: float, clip_seconds: float) -> float:
        """Seconds of one optimiser update."""
        one = Measurement(stage, self.preset, batch, 1.0, "", micro_batches, clip_seconds)
        return self._modelled(one) * self._factor(stage, batch)

    def opening(self) -> float:
        """Seconds from the start of the process to its first stage."""
        return estimate.opening_seconds(self.preset) * self.machine_factor

    def begin_stage(self, stage: str, clip_seconds: float, state: str) -> float:
        """Seconds before the first update.

        Networks are built. With `state` "none" a first one proves that the disk holds it; one of
        "another" run or of the "same" is read, and only the latter knows the loss at the start.
        """
        seconds = estimate.build_seconds(stage, self.preset) * self.machine_factor
        if state != "same":
            seconds += self._fixed_loss(stage, clip_seconds)
        if state == "none":
            return seconds + self.state(stage)
        return seconds + estimate.resume_seconds(stage, self.preset)

    def end_stage(self, stage: str, clip_seconds: float) -> float:
        """Seconds after the last save: the loss again, and what has changed since the start."""
        return self._fixed_loss(stage, clip_seconds) + estimate.compare_seconds(stage, self.preset)

    def first_update(self, stage: str) -> float:
        """Seconds that a stage's first update of all takes beside what any takes."""
        where = (self._gpu_name, self._cores)
        return estimate.first_update_seconds(stage, self.preset, *where) * self.machine_factor

    def save(self, stage: str, clips: SavedClips) -> float:
        """Seconds of a save at an epoch's end: held-out clips are measured, a state is written."""
        where = (self._gpu_name, self._cores)
        seconds = estimate.loss_seconds(stage, self.preset, clips.held_out, clips.seconds, *where)
        return seconds * self.machine_factor + self.state(stage)

    def state(self, stage: str) -> float:
        """Seconds to write a resumable state."""
        return estimate.state_seconds(stage, self.preset)

    def export(self, stage: str, clips: SavedClips) -> float:
        """Seconds to write a voice file and to speak the samples of one save with it."""
        where = (self._gpu_name, self._cores)
        one = estimate.sample_seconds(stage, self.preset, clips.sample_seconds, *where)
        one *= self._factor("speech") if stage == "gpt" else self.machine_factor
        file = self.export_file(stage)
        return file + min(clips.held_out or clips.trained, estimate.SAMPLES) * one

    def export_file(self, stage: str) -> float:
        """Seconds to write a voice file."""
        return estimate.export_seconds(stage, self.preset)

    def speaker_load(self, *, chinese: bool) -> float:
        """Seconds to load all that speaks."""
        return estimate.speaker_load_seconds(self.preset, chinese=chinese) * self.machine_factor

    def sentence(self, sound_seconds: float) -> float:
        """Seconds to speak a sentence of so much sound."""
        return self._modelled(self._piece("speech", sound_seconds)) * self._factor("speech")

    def prepare(self, audio_seconds: float) -> float:
        """Seconds to prepare so much sound."""
        return self._modelled(self._piece("prepare", audio_seconds)) * self._factor("prepare")

    def pack(self, size: int) -> float:
        """Seconds to write and hash a zip of `size` bytes."""
        return estimate.pack_seconds(size)

    def _fixed_loss(self, stage: str, clip_seconds: float) -> float:
        where = (self._gpu_name, self._cores)
        seconds = estimate.fixed_loss_seconds(stage, self.preset, clip_seconds, *where)
        return seconds * self.machine_factor

    def _piece(self, work: str, seconds: float) -> Measurement:
        return Measurement(work, self.preset, 1, 1.0, "", 1.0, seconds)

    def _factor(self, work: str, batch: int = 1) -> float:
        found = self.correction(work, batch)
        return self.machine_factor if found is None else found.factor

    def _modelled(self, one: Measurement) -> float:
        """Seconds of such a piece of work by the model alone."""
        where = (self._gpu_name, self._cores)
        if one.stage == "prepare":
            return estimate.prepare_seconds(one.clip_seconds, one.preset, *where)
        if one.stage == "speech":
            return estimate.sentence_seconds(one.preset, one.clip_seconds, *where)
        return estimate.update_seconds(
            one.stage, one.preset, one.batch, one.micro_batches, one.clip_seconds, *where
        )
