"""Sizes of stand-ins that are written and fetched within seconds; they train nothing."""

from __future__ import annotations

import sys
from pathlib import Path

_TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(_TESTS / "engine"), str(_TESTS / "engine/interop")]

from interop_micro import micro  # noqa: E402 - tests/ is not a package
from micro_models import GPT_IN_FILES  # noqa: E402
from stand_ins import Sizes  # noqa: E402

SMALL = Sizes(
    {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "conv_dim": (16,) * 7,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 2,
    },
    {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 16},
    {version: micro(version) for version in ("v2", "v2Pro", "v2ProPlus")},
    GPT_IN_FILES,
    None,
)
