"""Content features of speech, without the speaker: HuBERT at 50 Hz (arXiv:2106.07447)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from transformers import HubertConfig, HubertModel

from sovdeck.engine.models.frozen.local_model import encoder_dtype, load_local_model

RECEPTIVE_FIELD = 400  # samples the first frame needs
HUBERT_NAME = "chinese-hubert-base"


class ContentEncoder:
    """A frozen HuBERT with the name of its model; `hidden` is its width H (768 for the base)."""

    def __init__(self, model: HubertModel, name: str, *, pretrained: bool) -> None:
        self.model = model.eval().requires_grad_(False)
        self.name = name
        self.pretrained = pretrained
        self.hidden: int = model.config.hidden_size

    @classmethod
    def load(cls, folder: str | Path, *, device: str | torch.device = "cpu") -> ContentEncoder:
        """chinese-hubert-base from a local folder; Problem when it is missing or damaged."""
        model = load_local_model(HubertModel, folder, HUBERT_NAME, device)
        return cls(model, Path(folder).name, pretrained=True)

    @classmethod
    def untrained(cls, seed: int = 0, *, hidden: int = 32) -> ContentEncoder:
        """A small random HuBERT with the same frame rate, for runs without pretrained weights."""
        config = HubertConfig(
            hidden_size=hidden,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=2 * hidden,
            conv_dim=(hidden,) * 7,
            num_conv_pos_embeddings=16,
            num_conv_pos_embedding_groups=2,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = HubertModel(config)
        name = f"random HuBERT, {hidden} wide, seed {seed}: untrained"
        return cls(model, name, pretrained=False)

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return self.model.device

    def to(self, device: str | torch.device) -> ContentEncoder:
        """Move the model in place, into the number format of that device."""
        self.model.to(device=device, dtype=encoder_dtype(device))
        return self

    def features(self, wav: Tensor) -> Tensor:
        """16 kHz waves (B, N), any scale -> features (B, H, T), T = (N - 400) // 320 + 1.

        The wave is not normalised: the group norm of the first layer removes its scale. ValueError
        when N is below 400 samples.
        """
        if wav.dim() != 2 or wav.shape[1] < RECEPTIVE_FIELD:
            raise ValueError(
                f"wave of shape {tuple(wav.shape)}; need (B, {RECEPTIVE_FIELD} or more)"
            )
        # Tokens are chosen by these features: they must be the same on every device, as far as
        # float32 goes, and cuDNN would use TF32 unasked.
        exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
        with torch.inference_mode(), exact:
            wav = wav.to(device=self.model.device, dtype=self.model.dtype)
            hidden = self.model(wav).last_hidden_state  # (B, T, H)
        # A copy made outside may be used in training; an inference tensor may not.
        return hidden.transpose(1, 2).clone()
