"""A work folder with a tiny untrained voice that can speak; what speaking tests stand on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from engine.contract.layout import Layout
from engine.contract.spec import RunSpec
from engine.interop import write_gpt, write_sovits
from engine.models.gpt.config import GptConfig
from engine.models.gpt.text2semantic import Text2Semantic
from engine.models.sovits.config import SovitsConfig
from engine.models.sovits.synthesizer import Synthesizer
from engine.speaking.sound import wav_bytes
from engine.training.base import make_base, open_base

VOICE = "Test"
Models = tuple[Text2Semantic, Synthesizer]


def tiny_models() -> Models:
    torch.manual_seed(0)
    gpt, sovits = Text2Semantic(GptConfig.tiny()), Synthesizer(SovitsConfig.tiny())
    with torch.no_grad():  # random tokens need a codebook that was written once
        for name, buffer in sovits.named_buffers():
            if name.endswith("embed"):
                buffer.normal_()
            elif name.endswith("inited"):
                buffer.fill_(1)
    return gpt.eval(), sovits.eval()


def tone(seconds: float, level: float = 0.3, hz: float = 220.0) -> bytes:
    """A 32 kHz wav of a wavering tone."""
    t = np.arange(round(seconds * 32_000)) / 32_000
    wave = level * np.sin(2 * np.pi * hz * t) * (1 + 0.3 * np.sin(2 * np.pi * 3 * t))
    return wav_bytes(wave.astype(np.float32))


def write_epoch(work: Path, models: Models, epoch: int) -> None:
    """Export one epoch of both weights, as a run does."""
    layout = Layout.at(work.as_posix())
    gpt, sovits = models
    write_gpt(layout.gpt_weights(VOICE), VOICE, epoch, gpt.state_dict(), gpt.config,
              {"loss": 1.5})  # fmt: skip
    write_sovits(layout.sovits_weights(VOICE), VOICE, epoch, 100 * epoch,
                 sovits.state_dict(), sovits.config, {})  # fmt: skip


def make_voice(work: Path, models: Models) -> Path:
    """Two epochs of a voice from nothing, its base and its reference."""
    layout = Layout.at(work.as_posix())
    for epoch in (2, 10):
        write_epoch(work, models, epoch)
    spec = RunSpec(run="r", voice=VOICE, preset="tiny")
    make_base(open_base(spec, layout), models[1])
    reference = Path(layout.features(VOICE)) / "reference"
    reference.mkdir(parents=True)
    (reference / "reference.wav").write_bytes(tone(4.0))
    (reference / "reference.json").write_text(
        json.dumps({"wav": "reference.wav", "text": "今日は。", "language": "ja", "clips": []})
    )
    return work
