"""Networks of a few thousand parameters and clips of made-up features, for the training tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from micro_models import GPT, SOVITS, SOVITS_PRO, SSL

from sovdeck.engine.contract.updates import GPT_ACCUMULATION_STEPS
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.discriminator import Discriminator
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.runtime.device import Device, Precision
from sovdeck.engine.runtime.distributed import Peers
from sovdeck.engine.training.batch_schedule import BatchSizes
from sovdeck.engine.training.features import TrainingClip
from sovdeck.engine.training.gpt_task import GptSettings, GptTask
from sovdeck.engine.training.sovits_task import SovitsSettings, SovitsTask

CPU = Device("cpu", "CPU", 1 << 34)
ALONE = Peers()


def without_dropout(model: torch.nn.Module) -> None:
    """Where two ways of computing one batch are compared, random draws may not differ."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name in ("dropout", "p_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)


def make_clips(folder: Path, count: int) -> list[TrainingClip]:
    """Noise of 0.7 to 1.3 s with features and tokens to match."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(7)
    clips = []
    for number in range(count):
        samples = 22400 + 640 * int(chance.integers(0, 30))
        wav = folder / f"c{number:02d}.wav"
        noise = chance.standard_normal(samples).astype(np.float32) * 0.1
        soundfile.write(wav, noise, 32000, subtype="PCM_16")
        frames = samples // 640
        ssl = folder / f"c{number:02d}.pt"
        torch.save(torch.from_numpy(chance.standard_normal((1, SSL, frames - 1))).float(), ssl)
        torch.save(
            torch.randn(1, 6, generator=torch.Generator().manual_seed(number)), speaker_file(ssl)
        )
        phones = tuple(int(p) for p in chance.integers(1, 700, size=int(frames * 0.2)))
        tokens = tuple(int(t) for t in chance.integers(0, 16, size=frames // 2))
        clips.append(TrainingClip(wav.name, phones, tokens, "noise", wav, ssl, None, samples))
    return clips


def speaker_file(ssl: Path) -> Path:
    """Where the speaker vector of a clip lies, which only v2Pro reads."""
    return ssl.with_suffix(".sv.pt")


def with_speakers(clips: list[TrainingClip]) -> list[TrainingClip]:
    """The same clips with their speaker vectors, for v2Pro."""
    return [replace(clip, speaker=speaker_file(clip.ssl)) for clip in clips]


def sovits_pro_task(clips: list[TrainingClip], *arguments: Any, **settings: Any) -> SovitsTask:
    """`sovits_task` with v2Pro's networks, on the same clips with their speaker vectors."""
    settings["config"] = SOVITS_PRO
    return sovits_task(with_speakers(clips), *arguments, **settings)


def sovits_task(
    clips: list[TrainingClip],
    batch: int = 2,
    peers: Peers = ALONE,
    precision: str = "fp32",
    config: SovitsConfig = SOVITS,
    **settings: Any,
) -> SovitsTask:
    torch.manual_seed(1)
    generator, discriminator = Synthesizer(config), Discriminator(config)
    torch.manual_seed(2)
    chosen = SovitsSettings(BatchSizes(batch, peers.world_size), **settings)
    number_format = Precision(precision, "cpu")
    return SovitsTask(generator, discriminator, clips, chosen, CPU, number_format, peers)


def gpt_task(
    clips: list[TrainingClip],
    batch: int = 2,
    peers: Peers = ALONE,
    precision: str = "fp32",
    **settings: Any,
) -> GptTask:
    torch.manual_seed(1)
    model = Text2Semantic(GPT)
    torch.manual_seed(2)
    chosen = GptSettings(BatchSizes(batch, peers.world_size, GPT_ACCUMULATION_STEPS), **settings)
    return GptTask(model, clips, chosen, CPU, Precision(precision, "cpu"), peers)


def networks(task: SovitsTask | GptTask) -> tuple[torch.nn.Module, ...]:
    """What the stage trains; what its update is about comes first."""
    if isinstance(task, SovitsTask):
        return task.generator, task.discriminator
    return (task.model,)


# Every stage and version that makes the promises of training.
TASKS: dict[str, Callable[..., SovitsTask | GptTask]] = {
    "sovits": sovits_task,
    "sovits-v2Pro": sovits_pro_task,
    "gpt": gpt_task,
}
