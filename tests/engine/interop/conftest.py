"""Small weights of both families, and ways of writing files as upstream or an attacker would."""

from __future__ import annotations

import sys
import types

import pytest
import torch
from micro_models import GPT_IN_FILES, SOVITS

from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.synthesizer import Synthesizer


@pytest.fixture(scope="session")
def micro_state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return Synthesizer(SOVITS).state_dict()


@pytest.fixture(scope="session")
def micro_gpt_state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return Text2Semantic(GPT_IN_FILES).state_dict()


@pytest.fixture
def hparams(monkeypatch: pytest.MonkeyPatch):
    """Builds nested `utils.HParams` objects, the class upstream's trainer pickles."""
    module = types.ModuleType("utils")

    class HParams:
        def __init__(self, **entries: object) -> None:
            for name, value in entries.items():
                setattr(self, name, HParams(**value) if isinstance(value, dict) else value)

    HParams.__module__, HParams.__qualname__ = "utils", "HParams"
    module.HParams = HParams  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "utils", module)
    return HParams
