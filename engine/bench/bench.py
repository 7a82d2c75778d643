"""All measurements of one machine, in an order in which the cheap ones come first."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from sovdeck.engine.bench import speaking, training
from sovdeck.engine.bench.timing import Stopwatch
from sovdeck.engine.contract.bench_row import BenchRow, Figure
from sovdeck.engine.contract.measured import Measurement
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.runtime.device import Device, choose_precision
from sovdeck.engine.runtime.machine import describe_machine
from sovdeck.engine.runtime.oom import is_out_of_memory

_REPEAT, _TINY_REPEAT = 3, 1
PARTS = ("speaking", "training")
_GPU_BATCHES, _CPU_BATCHES = (2, 4, 8), (1, 2)
_PRESETS = ("v2", "v2Pro")


class Bench:
    """Runs the parts; `report` hears which part comes, `warn` which one found no memory."""

    def __init__(
        self,
        device: Device,
        *,
        tiny: bool,
        report: Callable[[str], None],
        warn: Callable[[Problem], None],
        precision: str = "auto",
    ) -> None:
        self._device = device
        self._tiny = tiny
        self._report = report
        self._warn = warn
        self._precision = choose_precision(precision, device)
        self._watch = Stopwatch(device, _TINY_REPEAT if tiny else _REPEAT)
        self._figures: list[Figure] = []
        self._updates: list[Measurement] = []

    def run(self, parts: Sequence[str] = PARTS, presets: Sequence[str] = ()) -> BenchRow:
        """Measure these parts; training of `presets`, by default v2 and v2Pro (tiny: tiny)."""
        if "speaking" in parts:
            self._measure_speaking()
        if "training" in parts:
            self._measure_training(presets or (("tiny",) if self._tiny else _PRESETS))
        machine = describe_machine(self._device) | {"precision": self._precision.name}
        return BenchRow(
            int(time.time()),
            "tiny" if self._tiny else "full",
            machine,
            tuple(self._figures),
            tuple(self._updates),
        )

    def _measure_speaking(self) -> None:
        watch, tiny = self._watch, self._tiny
        with self._part("text"):
            self._figures += [speaking.core_score(), *speaking.front_end(watch)]
        with self._part("BERT"):
            self._figures.append(speaking.bert(watch, self._device, tiny=tiny))
        with self._part("GPT, SoVITS"):
            gpt, sovits = speaking.speaking_networks(self._device, tiny=tiny)
            self._figures += speaking.tokens(watch, gpt, 30 if tiny else 100)
            self._figures.append(speaking.decode(watch, sovits))
            self._figures.append(speaking.first_sound(watch, gpt, sovits))
            self._figures.append(
                Figure("peak_memory", float(watch.peak_bytes), "bytes", "speaking")
            )

    def _measure_training(self, presets: Sequence[str]) -> None:
        batches = _GPU_BATCHES if self._device.kind == "cuda" else _CPU_BATCHES
        seconds = 1 if self._tiny else training.CLIP_SECONDS
        for preset in presets:
            stages = {"sovits": training.sovits_updates, "gpt": training.gpt_updates}
            for stage, measure in stages.items():
                with self._part(f"{stage} {preset}"):
                    for found in measure(
                        self._watch, preset, batches, self._device, self._precision, seconds
                    ):
                        detail = f"{stage} {preset}, batch {found.batch}"
                        self._updates.append(found)
                        self._figures += [
                            Figure("updates", 1 / found.seconds, "updates_s", detail),
                            Figure("peak_memory", float(self._watch.peak_bytes), "bytes", detail),
                        ]

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        """Announce a part; what finds no memory is left out, and told."""
        self._report(name)
        short = False
        try:
            yield
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            short = True
        if short:
            self._warn(Problem("engine.bench.out_of_memory", ExitCode.MEMORY, part=name))
        gc.collect()
        if self._device.kind == "cuda":
            torch.cuda.empty_cache()


def keep_row(row: BenchRow, file: Path) -> None:
    """Append a row to the rows of this machine, which `plan` reads."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as rows:
        rows.write(json.dumps(row.as_json(), sort_keys=True) + "\n")
