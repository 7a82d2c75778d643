"""The weight file of the speaker network: a bare state dict, as 3D-Speaker publishes it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.interop.safe_load import safe_load
from sovdeck.engine.models.speaker.config import SpeakerConfig
from sovdeck.engine.models.speaker.encoder import SpeakerEncoder
from sovdeck.engine.models.speaker.eres2net import ERes2NetV2


def read_speaker(path: str | Path) -> SpeakerEncoder:
    """The speaker network of a file, full size or tiny.

    Problem when the file is damaged, would run something, or holds other tensors than exactly
    the network's.
    """
    path = Path(path)
    state = {
        name: value for name, value in safe_load(path).content.items() if isinstance(value, Tensor)
    }
    config = SpeakerConfig.tiny() if _is_tiny(state) else SpeakerConfig()
    with torch.device("meta"):  # no memory, no random numbers
        model = ERes2NetV2(config)
    wanted = model.state_dict()
    unfit = [n for n, t in wanted.items() if n not in state or state[n].shape != t.shape]
    unfit += [name for name in state if name not in wanted]
    if unfit:
        raise Problem(
            "engine.weights.no_speaker",
            ExitCode.DATA,
            path=str(path),
            count=len(unfit),
            first=unfit[0],
        )
    model.load_state_dict(state, assign=True)
    return SpeakerEncoder(model, path.name, pretrained=True)


def _is_tiny(state: dict[str, Tensor]) -> bool:
    first = state.get("conv1.weight")
    return first is not None and first.shape[0] == SpeakerConfig.tiny().channels
