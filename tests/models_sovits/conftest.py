"""Networks with deterministic weights, and upstream's golden arrays where they are at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from sovits_fill import fill, integers, normal
from torch import Tensor

from engine.models.sovits.config import SovitsConfig
from engine.models.sovits.discriminator import Discriminator
from engine.models.sovits.masks import length_mask
from engine.models.sovits.synthesizer import Synthesizer

COMPAT = Path(__file__).resolve().parents[3] / "shared" / "compat"
Close = Callable[..., None]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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
        path = COMPAT / "golden" / f"{name}.npz"
        if not path.exists():
            pytest.skip(f"golden vectors are not beside the repository ({name}.npz)")
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


class Scene:
    """The common inputs of the SoVITS golden files: two items of 70 and 61 frames."""

    def __init__(self, generator: Synthesizer) -> None:
        self.lengths = torch.tensor([70, 61])
        self.mask = length_mask(self.lengths, 72)
        self.spec = normal("spec", 2, 1025, 72).abs() * self.mask
        self.text_lengths = torch.tensor([17, 11])
        self.text_mask = length_mask(self.text_lengths, 17)
        self.text = integers("text", (2, 17), 0, 732) * self.text_mask[:, 0]
        with torch.no_grad():
            self.timbre = generator.ref_enc(self.spec, self.mask)


@pytest.fixture(scope="session")
def scene(generator: Synthesizer) -> Scene:
    return Scene(generator)
