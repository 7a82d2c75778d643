"""One full-size model and one tiny model for this folder; no test may change their weights."""

from __future__ import annotations

import pytest
from gpt_fill import fill

from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic


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
