"""Sizes of the text-to-semantic GPT, and their upstream spelling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Upstream's run settings around the model section: its readers need `data.max_sec`, the rest
# only documents the file (compat SPEC 1.5).
_UPSTREAM_DATA_SECTION = {"max_eval_sample": 8, "max_sec": 54, "num_workers": 4, "pad_val": 1024}


@dataclass(frozen=True)
class GptConfig:
    """Sizes of one network. `dropout` is what trains: upstream's `dropout: 0` is ignored there."""

    hidden_dim: int = 512
    head: int = 16
    n_layer: int = 24
    vocab_size: int = 1025
    phoneme_vocab_size: int = 732
    bert_dim: int = 1024
    eos: int = 1024
    dropout: float = 0.1
    max_positions: int = 4000

    def __post_init__(self) -> None:
        if self.hidden_dim % (2 * self.head):
            raise ValueError(f"hidden_dim {self.hidden_dim} must be a multiple of 2 * {self.head}")
        if not 0 <= self.eos == self.vocab_size - 1:
            # Sampling cuts the last column to forbid EOS, as upstream does.
            raise ValueError(f"eos {self.eos} must be the last of {self.vocab_size} tokens")

    @property
    def linear_units(self) -> int:
        """Width of the feed-forward layer; upstream derives it too and ignores its own key."""
        return 4 * self.hidden_dim

    @classmethod
    def v2(cls) -> GptConfig:
        """GPT-SoVITS v2: 77.6 million parameters."""
        return cls()

    @classmethod
    def tiny(cls) -> GptConfig:
        """Every block of v2, small enough to train on one CPU thread in milliseconds a step."""
        return cls(hidden_dim=64, head=2, n_layer=2)

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> GptConfig:
        """Read upstream's config, or its `model` section alone; unknown keys are ignored.

        Raises KeyError or TypeError when a size is missing or is not a number.
        """
        model = mapping.get("model", mapping)
        return cls(
            hidden_dim=int(model["hidden_dim"]),
            head=int(model["head"]),
            n_layer=int(model["n_layer"]),
            vocab_size=int(model["vocab_size"]),
            phoneme_vocab_size=int(model["phoneme_vocab_size"]),
            eos=int(model["EOS"]),
        )

    def to_upstream(self) -> dict[str, Any]:
        """The `config` entry of a small GPT weight that upstream loads strictly."""
        model = {
            "vocab_size": self.vocab_size,
            "phoneme_vocab_size": self.phoneme_vocab_size,
            "embedding_dim": self.hidden_dim,
            "hidden_dim": self.hidden_dim,
            "head": self.head,
            "linear_units": self.linear_units,
            "n_layer": self.n_layer,
            "dropout": 0,
            "EOS": self.eos,
            "random_bert": 0,
        }
        return {"model": model, "data": dict(_UPSTREAM_DATA_SECTION), "inference": {"top_k": 15}}
