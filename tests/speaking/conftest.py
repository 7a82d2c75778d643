"""A tiny speaker and sound files made on the spot."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.contract.layout import Layout
from engine.contract.spec import RunSpec
from engine.interop import write_gpt, write_sovits
from engine.models.gpt.config import GptConfig
from engine.models.gpt.text2semantic import Text2Semantic
from engine.models.sovits.config import SovitsConfig
from engine.models.sovits.synthesizer import Synthesizer
from engine.speaking.pipeline import Speaker
from engine.speaking.request import SpeakRequest
from engine.speaking.sound import wav_bytes
from engine.training.base import make_base, open_base

VOICE = "Test"


class Content:
    """Stands in for HuBERT: 50 frames a second of fixed random projections of the wave."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.calls = 0

    def features(self, wav16k: Tensor) -> Tensor:
        self.calls += 1
        frames = wav16k.unfold(1, 320, 320)  # (B, T, 320)
        basis = torch.randn(320, self.width, generator=torch.Generator().manual_seed(1))
        return (frames @ basis).transpose(1, 2)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def models() -> tuple[Text2Semantic, Synthesizer]:
    torch.manual_seed(0)
    gpt, sovits = Text2Semantic(GptConfig.tiny()), Synthesizer(SovitsConfig.tiny())
    with torch.no_grad():  # random tokens need a codebook that was written once
        for name, buffer in sovits.named_buffers():
            if name.endswith("embed"):
                buffer.normal_()
            elif name.endswith("inited"):
                buffer.fill_(1)
    return gpt.eval(), sovits.eval()


@pytest.fixture
def speaker(models: tuple[Text2Semantic, Synthesizer]) -> Speaker:
    return Speaker(*models, Content(models[1].config.ssl_dim))


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """clip(seconds, level=0.3, hz=220) -> a 32 kHz wav of a wavering tone."""
    folder = tmp_path_factory.mktemp("clips")

    def make(seconds: float, level: float = 0.3, hz: float = 220.0) -> Path:
        path = folder / f"{seconds}-{level}-{hz}.wav"
        t = np.arange(round(seconds * 32_000)) / 32_000
        tone = level * np.sin(2 * np.pi * hz * t) * (1 + 0.3 * np.sin(2 * np.pi * 3 * t))
        path.write_bytes(wav_bytes(tone.astype(np.float32)))
        return path

    return make


@pytest.fixture
def ask(clip: Callable[..., Path]) -> Callable[..., SpeakRequest]:
    """ask(text, **changes) -> a short Japanese request with a reference and its words."""

    def make(text: str, **changes: object) -> SpeakRequest:
        given: dict[str, object] = {
            "text": text, "ref_audio": clip(4.0), "text_lang": "all_ja", "seed": 7,
            "ref_text": "今日はいい天気です", "ref_lang": "all_ja", "max_tokens": 16,
        }  # fmt: skip
        return SpeakRequest(**{**given, **changes})  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def work(
    tmp_path_factory: pytest.TempPathFactory,
    models: tuple[Text2Semantic, Synthesizer],
    clip: Callable[..., Path],
) -> Path:
    """A work folder with two epochs of a voice from nothing and its reference."""
    folder = tmp_path_factory.mktemp("work")
    layout = Layout.at(folder.as_posix())
    gpt, sovits = models
    for epoch in (2, 10):
        write_gpt(layout.gpt_weights(VOICE), VOICE, epoch, gpt.state_dict(), gpt.config,
                  {"loss": 1.5})  # fmt: skip
        write_sovits(layout.sovits_weights(VOICE), VOICE, epoch, 100 * epoch,
                     sovits.state_dict(), sovits.config, {})  # fmt: skip
    spec = RunSpec(run="r", voice=VOICE, preset="tiny")
    make_base(open_base(spec, layout), sovits)
    reference = Path(layout.features(VOICE)) / "reference"
    reference.mkdir(parents=True)
    (reference / "reference.wav").write_bytes(clip(4.0).read_bytes())
    (reference / "reference.json").write_text(
        json.dumps({"wav": "reference.wav", "text": "今日は。", "language": "ja", "clips": []})
    )
    return folder
