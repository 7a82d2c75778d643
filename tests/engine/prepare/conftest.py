"""Small recordings, lists and stand-ins for the frozen models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from prepare_signals import tone
from torch import nn

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.spec import RunSpec

SENTENCES = ("おはようございます。", "今日はいい天気ですね。", "また明日。", "ありがとう。")


class HopEncoder:
    """A content encoder of the right rate: the spread of every 320 samples."""

    def __init__(self) -> None:
        self.model = nn.Module()
        self.model.scale = nn.Parameter(torch.linspace(0.5, 2, 8))
        self.calls = 0

    def features(self, wav: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        hops = wav[:, : wav.shape[1] // 320 * 320].reshape(len(wav), -1, 320)
        level = hops.std(dim=2).to(self.model.scale.dtype) * 1e-2
        return (level[:, None, :] * self.model.scale[None, :, None]).detach()


class _Codebook(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("embed", torch.randn(16, 8))
        self.register_buffer("embed_avg", torch.zeros(16, 8))
        self.register_buffer("cluster_size", torch.zeros(16))
        self.register_buffer("inited", torch.zeros(1))


class TinyBase(nn.Module):
    """The part of a Synthesizer that makes tokens, under upstream's names."""

    def __init__(self) -> None:
        super().__init__()
        self.ssl_proj = nn.Conv1d(8, 8, 2, stride=2)
        level = nn.Module()
        level._codebook = _Codebook()
        self.quantizer = nn.Module()
        self.quantizer.vq = nn.Module()
        self.quantizer.vq.layers = nn.ModuleList([level])
        self.calls = 0

    def extract_latent(self, ssl: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        embed = self.quantizer.vq.layers[0]._codebook.embed
        return torch.cdist(self.ssl_proj(ssl).mT, embed[None]).argmin(dim=2)[:, None]


@pytest.fixture
def encoder() -> HopEncoder:
    return HopEncoder()


@pytest.fixture
def base() -> TinyBase:
    torch.manual_seed(0)
    return TinyBase()


@pytest.fixture
def dataset(tmp_path: Path) -> Callable[..., tuple[RunSpec, Layout]]:
    """Make a work folder with four Japanese clips, a list, and the spec that names them."""

    def make(voice: str = "ATRI", **changes: Any) -> tuple[RunSpec, Layout]:
        folder = tmp_path / "data" / voice
        (folder / "wavs").mkdir(parents=True, exist_ok=True)
        lines = []
        for number, sentence in enumerate(SENTENCES):
            name = f"clip{number}.wav"
            wav = tone(1.0 + 0.3 * number, hz=180 + 40 * number)
            soundfile.write(folder / "wavs" / name, wav, 24000, subtype="PCM_16")
            lines.append(f"wavs/{name}|{voice}|ja|{sentence}")
        (folder / f"{voice}.list").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return RunSpec(run="r1", voice=voice, **changes), Layout.at(str(tmp_path))

    return make
