"""One full-size model and one tiny model for the whole room; no test may change their weights."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from gpt_fill import fill

from engine.models.gpt.config import GptConfig
from engine.models.gpt.text2semantic import Text2Semantic


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def full() -> Text2Semantic:
    model = Text2Semantic(GptConfig.v2()).eval()
    fill(model)
    return model


@pytest.fixture(scope="session")
def tiny() -> Text2Semantic:
    model = Text2Semantic(GptConfig.tiny()).eval()
    fill(model)
    return model
