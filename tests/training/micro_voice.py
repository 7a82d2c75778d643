"""Networks of a few thousand parameters and clips of made-up features, for the training tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from engine.contract.updates import GPT_ACCUMULATE
from engine.models.gpt.config import GptConfig
from engine.models.gpt.text2semantic import Text2Semantic
from engine.models.sovits.config import SovitsConfig
from engine.models.sovits.discriminator import Discriminator
from engine.models.sovits.synthesizer import Synthesizer
from engine.runtime.device import Device, Precision
from engine.runtime.distributed import Peers
from engine.training.features import Clip
from engine.training.gpt_task import GptSettings, GptTask
from engine.training.order import Sizes
from engine.training.sovits_task import SovitsSettings, SovitsTask

CPU = Device("cpu", "CPU", 1 << 34)
ALONE = Peers()
SSL = 8

SOVITS = SovitsConfig(
    inter_channels=8, hidden_channels=8, filter_channels=8, n_heads=2, n_layers=1,
    n_layers_content=1, resblock_kernel_sizes=(3,), resblock_dilation_sizes=((1, 3),),
    upsample_initial_channel=32, gin_channels=8, ssl_dim=SSL, codebook_size=16,
    ref_channels=8, mrte_channels=8, mrte_heads=2, posterior_layers=1, flow_count=1,
    flow_layers=1, segment_frames=4, scale_channels=(2, 4, 4, 4, 4, 4),
    period_channels=(2, 2, 4, 4, 4), periods=(2, 3),
)  # fmt: skip
GPT = GptConfig(hidden_dim=16, head=2, n_layer=1, bert_dim=4)


def without_dropout(model: torch.nn.Module) -> None:
    """Where two ways of computing one batch are compared, dice may not differ."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name in ("dropout", "p_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)


def make_clips(folder: Path, count: int) -> list[Clip]:
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
        phones = tuple(int(p) for p in chance.integers(1, 700, size=int(frames * 0.2)))
        tokens = tuple(int(t) for t in chance.integers(0, 16, size=frames // 2))
        clips.append(Clip(wav.name, phones, tokens, "noise", wav, ssl, None, samples))
    return clips


def sovits_task(
    clips: list[Clip],
    batch: int = 2,
    peers: Peers = ALONE,
    precision: str = "fp32",
    **settings: Any,
) -> SovitsTask:
    torch.manual_seed(1)
    generator, discriminator = Synthesizer(SOVITS), Discriminator(SOVITS)
    torch.manual_seed(2)
    chosen = SovitsSettings(Sizes(batch, peers.world), **settings)
    number_format = Precision(precision, "cpu")
    return SovitsTask(generator, discriminator, clips, chosen, CPU, number_format, peers)


def gpt_task(
    clips: list[Clip],
    batch: int = 2,
    peers: Peers = ALONE,
    precision: str = "fp32",
    **settings: Any,
) -> GptTask:
    torch.manual_seed(1)
    model = Text2Semantic(GPT)
    torch.manual_seed(2)
    chosen = GptSettings(Sizes(batch, peers.world, GPT_ACCUMULATE), **settings)
    return GptTask(model, clips, chosen, CPU, Precision(precision, "cpu"), peers)
