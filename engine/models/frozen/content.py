"""What is said, without who says it: HuBERT features at 50 Hz (arXiv:2106.07447)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from transformers import HubertConfig, HubertModel

from engine.models.frozen.folder import load_model

SAMPLE_RATE = 16000
HOP = 320  # samples between two frames
RECEPTIVE = 400  # samples the first frame needs
BASE = "chinese-hubert-base"


class ContentEncoder:
    """A frozen HuBERT. `name` says which; `hidden` is its width H (768 for the base)."""

    def __init__(self, model: HubertModel, name: str, *, pretrained: bool) -> None:
        self.model = model.eval().requires_grad_(False)
        self.name = name
        self.pretrained = pretrained
        self.hidden: int = model.config.hidden_size

    @classmethod
    def load(cls, folder: str | Path, *, device: str | torch.device = "cpu") -> ContentEncoder:
        """chinese-hubert-base from a local folder; Problem when it is missing or damaged."""
        model = load_model(HubertModel, folder, BASE)
        return cls(model.to(device), Path(folder).name, pretrained=True)

    @classmethod
    def random(cls, seed: int = 0, *, hidden: int = 32) -> ContentEncoder:
        """A small untrained HuBERT with the same frame rate, for trips that start from nothing."""
        config = HubertConfig(
            hidden_size=hidden, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=2 * hidden, conv_dim=(hidden,) * 7, num_conv_pos_embeddings=16,
            num_conv_pos_embedding_groups=2,
        )  # fmt: skip
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = HubertModel(config)
        name = f"random HuBERT, {hidden} wide, seed {seed}: untrained"
        return cls(model, name, pretrained=False)

    @property
    def device(self) -> torch.device:
        return self.model.device

    def to(self, device: str | torch.device, dtype: torch.dtype | None = None) -> ContentEncoder:
        self.model.to(device=device, dtype=dtype)
        return self

    def features(self, wav: Tensor) -> Tensor:
        """16 kHz waves (B, N), any scale -> features (B, H, T), T = (N - 400) // 320 + 1.

        The wave enters as it is: the group norm of the first layer hides its scale. ValueError
        when N is below 400 samples.
        """
        if wav.dim() != 2 or wav.shape[1] < RECEPTIVE:
            raise ValueError(f"wave of shape {tuple(wav.shape)}; need (B, {RECEPTIVE} or more)")
        with torch.inference_mode():
            wav = wav.to(device=self.model.device, dtype=self.model.dtype)
            hidden = self.model(wav).last_hidden_state  # (B, T, H)
        # A copy made outside may be used in training; an inference tensor may not.
        return hidden.transpose(1, 2).clone()
