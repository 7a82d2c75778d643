"""The three steps of an item, each with the key of what it is made from."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import torch

from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE
from sovdeck.engine.contract.atomic_io import file_sha256
from sovdeck.engine.contract.dataset.items import DatasetItem
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.prepare.cache_index import cache_key
from sovdeck.engine.prepare.dataset_folder import (
    DatasetFolder,
    load_tensor,
    replace_tensor,
    replace_wav,
)
from sovdeck.engine.prepare.loudness import training_signals
from sovdeck.engine.prepare.text_features import ItemText, read_item_text
from sovdeck.engine.text import phonemize as front_end
from sovdeck.engine.text.lexicon import Lexicon

_R = TypeVar("_R")

# Raised when the arithmetic of an audio step changes.
_AUDIO_REVISION = "1"
# In GPT-SoVITS the fullwidth yen sign asks for a pause phone; upstream takes it out of
# transcripts, since nobody spoke it. (Its other replacement, % to -, we leave out on purpose:
# the speaker did read the percentage, so the phones must hold it.)
_YEN, _COMMA = "￥", ","
_LONE_YEN = re.compile(r"￥(?! ?[0-9])")  # before a number it is money


def text_key(
    item: DatasetItem, lexicon: Lexicon, encoder_id: str, *, as_upstream: bool = False
) -> str:
    """Cache key of the text step: text, reading, language, lexicon and encoder."""
    revision = f"{front_end.REVISION}{' upstream' if as_upstream else ''}"
    bert = encoder_id if item.language == "zh" else ""
    return cache_key(revision, item.language, item.text, lexicon.digest, bert)


def audio_key(item: DatasetItem, content_id: str) -> str:
    """Cache key of the audio step: the file's content and the content encoder."""
    return cache_key(_AUDIO_REVISION, file_sha256(item.wav), content_id)


def token_key(audio_step_key: str, quantiser_id: str) -> str:
    """Cache key of the token step: the audio step's key and the quantiser."""
    return cache_key(audio_step_key, quantiser_id)


def make_text(
    item: DatasetItem,
    lexicon: Lexicon,
    encoder: Any,
    folder: DatasetFolder,
    *,
    as_upstream: bool = False,
) -> dict[str, Any]:
    """Return the text fields of the index entry; writes the BERT features of Chinese."""
    text = item.text.replace(_YEN, _COMMA) if as_upstream else _LONE_YEN.sub(_COMMA, item.text)

    def read() -> tuple[ItemText, torch.Tensor | None]:
        made = read_item_text(text, item.language, lexicon, encoder, as_upstream=as_upstream)
        return made, made.features

    item_text = _finite_or_in_single(read, encoder)
    if item_text is None:
        raise _item_problem("engine.data.no_text_features", item)
    phones = item_text.phones
    if not phones.phones:
        raise _item_problem("engine.data.no_phones", item, text=item.text[:40])
    if item_text.features is None:
        # What an earlier text left there would no longer have a row for each phone.
        folder.bert(item.name).unlink(missing_ok=True)
    else:
        on_gpu = encoder.model.device.type == "cuda"
        replace_tensor(folder.bert(item.name), _to_stored_precision(item_text.features, on_gpu))
    return {
        "phones": " ".join(phones.phones),
        "word2ph": tuple(phones.word2ph) if phones.word2ph is not None else None,
        "normalized": " ".join(phones.normalized.split()),  # a line break would end the row
    }


def make_audio(item: DatasetItem, content_encoder: Any, folder: DatasetFolder) -> float:
    """Write the 32 kHz wave and the content features (1, H, T); return seconds."""
    training_wave, encoder_input = training_signals(item.wav)
    features = _content_features(content_encoder, torch.from_numpy(encoder_input)[None])
    if features is None:
        raise _item_problem("engine.data.no_features", item)
    # Wave first: whoever sees features may rely on the wave.
    replace_wav(folder.wav(item.name), training_wave)
    replace_tensor(folder.features(item.name), features)
    return len(training_wave) / SPEECH_SAMPLE_RATE


def make_tokens(item: DatasetItem, synthesizer: Any, folder: DatasetFolder) -> str:
    """Return the semantic tokens at 25 Hz, space-joined."""
    parameter = next(synthesizer.parameters())
    ssl = load_tensor(folder.features(item.name))
    with torch.inference_mode():
        codes = synthesizer.extract_latent(ssl.to(parameter.device, parameter.dtype))
    return " ".join(map(str, codes[0, 0].tolist()))


def _content_features(content_encoder: Any, wav: torch.Tensor) -> torch.Tensor | None:
    """Finite features, or None."""

    def encode() -> tuple[torch.Tensor, torch.Tensor]:
        features = content_encoder.features(wav)
        return features, features

    features = _finite_or_in_single(encode, content_encoder)
    return None if features is None else _to_stored_precision(features, features.is_cuda)


def _finite_or_in_single(
    encode: Callable[[], tuple[_R, torch.Tensor | None]], encoder: Any
) -> _R | None:
    """The result of `encode` whose features are finite; None where there is none.

    Half precision may overflow: what does is encoded again in single.
    """
    result, features = encode()
    if features is None or features.isfinite().all():
        return result
    if next(encoder.model.parameters()).dtype is not torch.float16:
        return None
    encoder.model.float()
    try:
        result, features = encode()
    finally:
        encoder.model.half()
    return result if features is not None and features.isfinite().all() else None


def _to_stored_precision(features: torch.Tensor, on_gpu: bool) -> torch.Tensor:
    # Upstream keeps half precision on a GPU and single on a CPU.
    return features.half() if on_gpu else features.float()


def _item_problem(key: str, item: DatasetItem, **facts: object) -> Problem:
    return Problem(key, ExitCode.DATA, line=item.line, name=item.name, **facts)
