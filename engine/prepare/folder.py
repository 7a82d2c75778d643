"""The dataset folder `logs/NAME` as GPT-SoVITS lays it out, and writing into it safely."""

from __future__ import annotations

import io
import os
import struct
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

RATE_HZ = 32000


@dataclass(frozen=True)
class DatasetFolder:
    """Names of SPEC 1.7; `name` of an item is the base name of its file with the ending."""

    path: Path

    @property
    def text_table(self) -> Path:
        return self.path / "2-name2text.txt"

    def bert(self, name: str) -> Path:
        return self.path / "3-bert" / f"{name}.pt"

    def features(self, name: str) -> Path:
        return self.path / "4-cnhubert" / f"{name}.pt"

    def wav(self, name: str) -> Path:
        return self.path / "5-wav32k" / name

    @property
    def semantic_table(self) -> Path:
        return self.path / "6-name2semantic.tsv"

    @property
    def index(self) -> Path:
        """What each item was made from; GPT-SoVITS does not look at it."""
        return self.path / "sovdeck-index.jsonl"

    def create(self) -> None:
        for part in ("3-bert", "4-cnhubert", "5-wav32k"):
            (self.path / part).mkdir(parents=True, exist_ok=True)


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` beside `path`, then rename: a reader sees the old file or the new one."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def replace_lines(path: Path, lines: Iterable[str]) -> None:
    replace_file(path, "".join(f"{line}\n" for line in lines).encode())


def replace_tensor(path: Path, tensor: torch.Tensor) -> None:
    """Save one tensor the way upstream's `torch.load` of it expects."""
    buffer = io.BytesIO()
    torch.save(tensor.detach().cpu().contiguous(), buffer)
    replace_file(path, buffer.getvalue())


def load_tensor(path: Path) -> torch.Tensor:
    """A tensor saved by us or by upstream (which may have kept `requires_grad`)."""
    tensor: torch.Tensor = torch.load(path, map_location="cpu", weights_only=True)
    return tensor.detach()


def replace_wav(path: Path, samples: np.ndarray) -> None:
    """Mono int16 at 32 kHz behind the canonical 44-byte header.

    The header is written out here because upstream derives an item's length from the size of
    the whole file, so no library may add a chunk of its own.
    """
    data = samples.astype("<i2").tobytes()
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16,
        b"data", len(data),
    )  # fmt: skip
    replace_file(path, header + data)
