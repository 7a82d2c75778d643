"""The frozen encoders of a pretrained set, or untrained ones, each loaded when it is first used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sovdeck.engine.contract.pretrained_set import starting_file
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.interop import read_speaker
from sovdeck.engine.interop.set_manifest import check_unchanged, unchanged_digest
from sovdeck.engine.models.deferred import DeferredModel
from sovdeck.engine.models.frozen.content_encoder import HUBERT_NAME, ContentEncoder
from sovdeck.engine.models.frozen.local_model import (
    WEIGHT_FILES,
    check_model_folder,
    encoder_dtype,
)
from sovdeck.engine.models.frozen.text_encoder import ROBERTA_NAME, TextEncoder
from sovdeck.engine.models.speaker.encoder import SpeakerEncoder

CONTENT_ENCODER_FOLDER = HUBERT_NAME
TEXT_ENCODER_FOLDER = ROBERTA_NAME
# What decides an encoder's output, where its folder holds it; of the weights the first one counts.
_SETTINGS_FILES = ("config.json", "tokenizer.json", "vocab.txt")


class DeferredContentEncoder(DeferredModel[ContentEncoder]):
    """A content encoder that is loaded with the first wave."""

    def features(self, wav: Tensor, /) -> Tensor:
        """See `ContentEncoder.features`."""
        return self.get().features(wav)


class DeferredTextEncoder(DeferredModel[TextEncoder]):
    """A text encoder that is loaded with the first Chinese sentence."""

    def features(self, text: str, word2ph: Sequence[int], /) -> Tensor:
        """See `TextEncoder.features`."""
        return self.get().features(text, word2ph)


@dataclass(frozen=True)
class FrozenEncoders:
    """`text` is None where Chinese goes without features, `speaker` where the version has none."""

    content: DeferredContentEncoder
    text: DeferredTextEncoder | None
    speaker: DeferredModel[SpeakerEncoder] | None


def encoders_of_set(
    folder: Path, version: str, device: str | torch.device, *, takes_speaker: bool
) -> FrozenEncoders:
    """Encoders of the pretrained set in `folder`, to run on `device`.

    Problem when the content encoder or the speaker network is not there; when a file is loaded
    that is damaged or has changed since it came, Problem too.
    """
    content, text = folder / CONTENT_ENCODER_FOLDER, folder / TEXT_ENCODER_FOLDER
    check_model_folder(content, HUBERT_NAME)
    return FrozenEncoders(
        DeferredContentEncoder(
            lambda: _folder_identity(folder, content, device),
            lambda: ContentEncoder.load(_unchanged(folder, content), device=device),
        ),
        DeferredTextEncoder(
            lambda: _folder_identity(folder, text, device),
            lambda: TextEncoder.load(_unchanged(folder, text), device=device),
        )
        if text.is_dir()
        else None,
        _speaker_of_set(folder, version, device) if takes_speaker else None,
    )


def _speaker_of_set(
    folder: Path, version: str, device: str | torch.device
) -> DeferredModel[SpeakerEncoder]:
    path = starting_file(folder, version, "speaker")
    if path is None:
        raise Problem(
            "engine.speaking.no_speaker_network",
            ExitCode.CONFIG,
            folder=str(folder),
            version=version,
        )

    def load() -> SpeakerEncoder:
        check_unchanged(folder, path)
        return read_speaker(path).to(device)

    return DeferredModel(lambda: unchanged_digest(folder, path), load)


def untrained_encoders(
    seed: int, hidden: int, device: str | torch.device, *, speaker_numbers: int | None
) -> FrozenEncoders:
    """Random encoders for a run from nothing; `speaker_numbers` None: a version without one."""

    def load_speaker() -> SpeakerEncoder:
        return SpeakerEncoder.random(seed, numbers=speaker_numbers).to(device)

    speaker = DeferredModel(lambda: f"untrained {seed} {speaker_numbers}", load_speaker)
    return FrozenEncoders(
        DeferredContentEncoder(
            lambda: f"untrained {seed} {hidden} {encoder_dtype(device)}",
            lambda: ContentEncoder.untrained(seed, hidden=hidden).to(device),
        ),
        None,
        None if speaker_numbers is None else speaker,
    )


def content_digest(folder: Path) -> str:
    """Tells one set's content encoder from another's."""
    return _folder_identity(folder, folder / CONTENT_ENCODER_FOLDER, "cpu")


def _files(encoder: Path) -> list[Path]:
    settings = [path for name in _SETTINGS_FILES if (path := encoder / name).is_file()]
    weights = [path for name in WEIGHT_FILES if (path := encoder / name).is_file()]
    return settings + weights[:1]


def _folder_identity(folder: Path, encoder: Path, device: str | torch.device) -> str:
    digests = [unchanged_digest(folder, path) for path in _files(encoder)]
    return " ".join([*digests, str(encoder_dtype(device))])


def _unchanged(folder: Path, encoder: Path) -> Path:
    """The encoder's folder; Problem when a file in it has changed since it came."""
    check_unchanged(folder, *_files(encoder))
    return encoder
