"""A frozen speaker network with its features: from a wave to the vector v2Pro is given."""

from __future__ import annotations

import torch
from torch import Tensor

from sovdeck.engine.models.speaker.config import SpeakerConfig
from sovdeck.engine.models.speaker.eres2net import ERes2NetV2
from sovdeck.engine.models.speaker.features import kaldi_features


class SpeakerEncoder:
    """A frozen ERes2NetV2. `name` says which; `numbers` is how long its vectors are."""

    def __init__(self, model: ERes2NetV2, name: str, *, pretrained: bool) -> None:
        # Single precision everywhere: in half the energies of a loud wave overflow.
        self.model = model.float().eval().requires_grad_(False)
        self.name = name
        self.pretrained = pretrained
        self.numbers = model.config.vector

    @classmethod
    def random(cls, seed: int = 0, *, numbers: int | None = None) -> SpeakerEncoder:
        """An untrained network whose vectors have `numbers`, small by default.

        For trips that start from nothing. ValueError when no network gives so many numbers.
        """
        sizes = {config.vector: config for config in (SpeakerConfig.tiny(), SpeakerConfig())}
        config = SpeakerConfig.tiny() if numbers is None else sizes.get(numbers)
        if config is None:
            raise ValueError(f"no speaker network has vectors of {numbers} numbers")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = ERes2NetV2(config)
        return cls(model, f"random ERes2NetV2, seed {seed}: untrained", pretrained=False)

    @property
    def device(self) -> torch.device:
        """Where the network lies."""
        return self.model.conv1.weight.device

    def to(self, device: str | torch.device) -> SpeakerEncoder:
        """Move the network to `device`; returns itself."""
        self.model.to(device)
        return self

    @torch.inference_mode()
    def vector(self, wav: Tensor) -> Tensor:
        """16 kHz wave (N,) in -1..1 -> (1, `numbers`) float32 on the network's device.

        The wave enters as loud as it is: nothing takes its level away. ValueError when N is
        below 400 samples, or the vector is not finite.
        """
        features = kaldi_features(wav.to(self.device), self.model.config.mel_bands)
        vector: Tensor = self.model(features[None])
        if not torch.isfinite(vector).all():
            raise ValueError("the speaker vector is not finite")
        return vector.clone()
