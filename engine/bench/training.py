"""What an update of each stage, preset and batch costs on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from sovdeck.engine.bench.timing import Stopwatch
from sovdeck.engine.contract.measured import BENCH_CLIP_S, Measurement
from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.discriminator import Discriminator
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.runtime.device import Device, Precision
from sovdeck.engine.runtime.distributed import Peers
from sovdeck.engine.training.batch_schedule import BatchSizes
from sovdeck.engine.training.features import HOP_LENGTH, TrainingClip
from sovdeck.engine.training.gpt_data import GptBatch
from sovdeck.engine.training.gpt_task import GptSettings, GptTask
from sovdeck.engine.training.sovits_data import SovitsBatch
from sovdeck.engine.training.sovits_task import SovitsSettings, SovitsTask

CLIP_SECONDS = int(BENCH_CLIP_S)
_PHONES_A_SECOND, _TOKENS_A_SECOND, _FRAMES_A_SECOND = 10, 25, 50


def sovits_config(preset: str) -> SovitsConfig:
    """The networks of a preset of training."""
    made = {"tiny": SovitsConfig.tiny, "tinyPro": SovitsConfig.tiny_pro}.get(preset)
    return made() if made else SovitsConfig.of(preset)


def sovits_updates(
    watch: Stopwatch,
    preset: str,
    batches: Sequence[int],
    device: Device,
    precision: Precision,
    clip_seconds: int,
) -> Iterator[Measurement]:
    """Seconds of a SoVITS update for each batch size."""
    config = sovits_config(preset)
    task = SovitsTask(
        Synthesizer(config),
        Discriminator(config),
        [],
        SovitsSettings(BatchSizes(max(batches))),
        device,
        precision,
        Peers(),
    )
    for size in batches:
        batch = _sovits_batch(size, config, clip_seconds)
        seconds = watch.seconds(lambda batch=batch: _update(task, batch))
        yield Measurement("sovits", preset, size, seconds, clip_seconds=float(clip_seconds))


def gpt_updates(
    watch: Stopwatch,
    preset: str,
    batches: Sequence[int],
    device: Device,
    precision: Precision,
    clip_seconds: int,
) -> Iterator[Measurement]:
    """Seconds of a pass and a step of the GPT for each batch size."""
    config = GptConfig.tiny() if preset.startswith("tiny") else GptConfig.v2()
    tokens = clip_seconds * _TOKENS_A_SECOND
    clip = TrainingClip("", (), (0,) * tokens, "", Path(), Path(), None, 0)  # sizes fp16's scale
    settings = GptSettings(BatchSizes(max(batches)))
    task = GptTask(Text2Semantic(config), [clip], settings, device, precision, Peers())
    for size in batches:
        batch = _gpt_batch(size, config, clip_seconds)
        seconds = watch.seconds(lambda batch=batch: _update(task, batch))
        yield Measurement("gpt", preset, size, seconds, clip_seconds=float(clip_seconds))


def _update(task: SovitsTask | GptTask, batch: Any) -> None:
    for phase in task.phases():
        phase.compute([batch])
        phase.apply()


def _sovits_batch(size: int, config: SovitsConfig, seconds: int) -> SovitsBatch:
    frames, phones = seconds * _FRAMES_A_SECOND, seconds * _PHONES_A_SECOND
    made = torch.Generator().manual_seed(size)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=made)

    return SovitsBatch(
        tuple(map(str, range(size))),
        (size, size * frames),
        normal(size, config.ssl_dim, frames),
        normal(size, config.spec_bins, frames).abs(),
        torch.full((size,), frames),
        0.1 * normal(size, 1, frames * HOP_LENGTH),
        torch.randint(0, config.n_phones, (size, phones), generator=made),
        torch.full((size,), phones),
        normal(size, config.inter_channels, frames),
        torch.rand(size, generator=made),
        normal(size, config.speaker_numbers).abs() if config.takes_speaker else None,
    )


def _gpt_batch(size: int, config: GptConfig, seconds: int) -> GptBatch:
    phones, tokens = seconds * _PHONES_A_SECOND, seconds * _TOKENS_A_SECOND
    made = torch.Generator().manual_seed(size)
    return GptBatch(
        tuple(map(str, range(size))),
        (size, size * (tokens + 1)),
        torch.randint(0, config.phoneme_vocab_size, (size, phones), generator=made),
        torch.full((size,), phones),
        torch.randint(0, config.eos, (size, tokens), generator=made),
        torch.full((size,), tokens),
        torch.randn(size, config.bert_dim, phones, generator=made),
    )
