"""A work folder with a tiny untrained voice that can speak; what speaking tests stand on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from sovdeck.engine.audio.pcm import encode_wav
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.interop import write_gpt, write_sovits
from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.training.initial_weights import open_initial_weights, write_initial_weights

VOICE = "Test"
Models = tuple[Text2Semantic, Synthesizer]


def tiny_models(config: SovitsConfig | None = None) -> Models:
    """A GPT and a SoVITS, v2's unless `config` is another."""
    torch.manual_seed(0)
    gpt, sovits = Text2Semantic(GptConfig.tiny()), Synthesizer(config or SovitsConfig.tiny())
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
    return encode_wav(wave.astype(np.float32))


def write_epoch(work: Path, models: Models, epoch: int, voice: str = VOICE) -> None:
    """Export one epoch of both weights, as a run does."""
    layout = Layout.at(work.as_posix())
    gpt, sovits = models
    version = sovits.config.version
    write_gpt(
        Path(layout.gpt_weights(voice, version)),
        voice,
        epoch,
        gpt.state_dict(),
        gpt.config,
        {"loss": 1.5},
    )
    write_sovits(
        Path(layout.sovits_weights(voice, version)),
        voice,
        epoch,
        100 * epoch,
        sovits.state_dict(),
        sovits.config,
        {},
    )


def make_voice(work: Path, models: Models, voice: str = VOICE) -> Path:
    """Two epochs of a voice from nothing, its base and its reference."""
    layout = Layout.at(work.as_posix())
    for epoch in (2, 10):
        write_epoch(work, models, epoch, voice)
    preset = "tinyPro" if models[1].config.takes_speaker else "tiny"
    spec = RunSpec(run="r", voice=voice, preset=preset)
    write_initial_weights(open_initial_weights(spec, layout), models[1])
    reference = Path(layout.features(voice)) / "reference"
    reference.mkdir(parents=True)
    (reference / "reference.wav").write_bytes(tone(4.0))
    (reference / "reference.json").write_text(
        json.dumps({"wav": "reference.wav", "text": "今日は。", "language": "ja", "clips": []})
    )
    return work
