"""The dataset folder `logs/NAME` as GPT-SoVITS lays it out, and writing into it safely."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE
from sovdeck.engine.contract.atomic_io import write_atomic


@dataclass(frozen=True)
class DatasetFolder:
    """Paths in the dataset folder (compat SPEC 1.7).

    `name` of an item is the base name of its sound file with the suffix.
    """

    path: Path

    @property
    def text_table(self) -> Path:
        """One line an item: name, phones, word2ph, normalized text."""
        return self.path / "2-name2text.txt"

    def bert(self, name: str) -> Path:
        """BERT features (1024, phones) of a Chinese item."""
        return self.path / "3-bert" / f"{name}.pt"

    def features(self, name: str) -> Path:
        """Content features (1, H, T) of an item."""
        return self.path / "4-cnhubert" / f"{name}.pt"

    def wav(self, name: str) -> Path:
        """The wave of an item, mono int16 at 32 kHz."""
        return self.path / "5-wav32k" / name

    @property
    def semantic_table(self) -> Path:
        """One line an item: name, semantic tokens."""
        return self.path / "6-name2semantic.tsv"

    def speaker(self, name: str) -> Path:
        """The speaker vector of v2Pro."""
        return self.path / "7-sv_cn" / f"{name}.pt"

    @property
    def index(self) -> Path:
        """What each item was made from; GPT-SoVITS does not look at it."""
        return self.path / "sovdeck-index.jsonl"

    def create(self) -> None:
        """Make the subfolders."""
        for part in ("3-bert", "4-cnhubert", "5-wav32k", "7-sv_cn"):
            (self.path / part).mkdir(parents=True, exist_ok=True)


def replace_lines(path: Path, lines: Iterable[str]) -> None:
    """Replace a text file by `lines`."""
    _replace(path, "".join(f"{line}\n" for line in lines).encode())


def replace_tensor(path: Path, tensor: torch.Tensor) -> None:
    """Replace a file by one tensor, saved the way upstream's `torch.load` of it expects."""
    buffer = io.BytesIO()
    torch.save(tensor.detach().cpu().contiguous(), buffer)
    _replace(path, buffer.getvalue())


def load_tensor(path: Path) -> torch.Tensor:
    """Load a tensor saved by us or by upstream (which may have kept `requires_grad`)."""
    tensor: torch.Tensor = torch.load(path, map_location="cpu", weights_only=True)
    return tensor.detach()


def replace_wav(path: Path, samples: np.ndarray) -> None:
    """Replace a file by samples (N,) as mono int16 at 32 kHz behind the canonical 44-byte header.

    The header is written out here because upstream derives an item's length from the size of
    the whole file, so no library may add a chunk of its own.
    """
    data = samples.astype("<i2").tobytes()
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + len(data),
        b"WAVE",
        b"fmt ",
        16,
        1,
        1,
        SPEECH_SAMPLE_RATE,
        2 * SPEECH_SAMPLE_RATE,
        2,
        16,
        b"data",
        len(data),
    )
    _replace(path, header + data)


def _replace(path: Path, data: bytes) -> None:
    # Without fsync, which would cost more than the work on a clip; all of it can be made again.
    write_atomic(path, data, durable=False)
