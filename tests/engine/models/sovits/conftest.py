"""Networks with deterministic weights, and upstream's golden arrays where they are at hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sovits_fill import DATA, fill
from sovits_step import Scene, training_step
from torch import Tensor

from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.discriminator import Discriminator
from sovdeck.engine.models.sovits.synthesizer import Synthesizer

Close = Callable[..., None]


@pytest.fixture(scope="session")
def generator() -> Synthesizer:
    model = Synthesizer(SovitsConfig.v2()).eval()
    fill(model.state_dict())
    return model


@pytest.fixture(scope="session")
def discriminator() -> Discriminator:
    model = Discriminator(SovitsConfig.v2()).eval()
    fill(model.state_dict())
    return model


@pytest.fixture(scope="session")
def golden() -> Callable[[str], dict[str, np.ndarray]]:
    def load(name: str) -> dict[str, np.ndarray]:
        path = DATA / "golden" / f"{name}.npz"
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)

    return load


@pytest.fixture
def close() -> Close:
    def check(got: Tensor, want: np.ndarray, tolerance: float = 2e-5) -> None:
        """Within `tolerance` of the largest reference value."""
        reference = torch.from_numpy(np.asarray(want)).double()
        got = got.detach().double()
        assert got.shape == reference.shape
        assert (got - reference).abs().max() <= tolerance * reference.abs().max()

    return check


@pytest.fixture(scope="session")
def scene(generator: Synthesizer) -> Scene:
    return Scene(generator)


@pytest.fixture(scope="session")
def step(generator: Synthesizer, discriminator: Discriminator, scene: Scene) -> dict[str, Any]:
    torch.set_num_threads(1)
    return training_step(generator, discriminator, scene)
