"""The card that a test of the GPU suite runs on, and the report it writes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from micro_models import SOVITS, SOVITS_PRO

from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.gpt.graphs import DecodeGraphs
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.runtime.device import Device


@dataclass
class Report:
    """What the tests measured, by name, and how each of them ended."""

    figures: dict[str, Any] = field(default_factory=dict)
    tests: dict[str, dict[str, Any]] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Card:
    """Where the suite runs and at which sizes: those of v2 and v2Pro on a GPU, tiny elsewhere."""

    device: Device
    report: Report

    @property
    def is_gpu(self) -> bool:
        return self.device.kind == "cuda"

    @property
    def torch(self) -> torch.device:
        return self.device.torch_device

    @property
    def gpt(self) -> GptConfig:
        return GptConfig.v2() if self.is_gpu else GptConfig.tiny()

    def sovits(self, version: str = "v2") -> SovitsConfig:
        if self.is_gpu:
            return SovitsConfig.of(version)
        micro = SOVITS if version == "v2" else SOVITS_PRO
        return replace(micro, codebook_size=1024)  # that of the GPT's tokens

    def note(self, name: str, value: Any) -> None:
        """Put a figure into the report."""
        self.report.figures[name] = value

    def graphs(self, model: Text2Semantic, **options: Any) -> DecodeGraphs:
        """Captured steps of `model`; on a processor the same steps, not captured."""
        return DecodeGraphs(model, None if self.is_gpu else _run_again, **options)

    def synchronize(self) -> None:
        if self.is_gpu:
            torch.cuda.synchronize(self.torch)


def speaker_numbers(config: SovitsConfig) -> int:
    """How long the speaker vectors of a version are; 0 for v2."""
    return config.speaker_numbers if config.takes_speaker else 0


def _run_again(run: Callable[[], None], restore: Callable[[], None]) -> Callable[[], None]:
    run()
    restore()
    return run
