"""The three steps of an item, each with the key of what it is made from."""

from __future__ import annotations

from typing import Any

import torch

from engine.contract.dataset.items import Item
from engine.contract.problem import ExitCode, Problem
from engine.prepare.folder import RATE_HZ, DatasetFolder, load_tensor, replace_tensor, replace_wav
from engine.prepare.index import digest, file_digest
from engine.prepare.levels import training_signals
from engine.prepare.reading import read_text
from engine.text import clean as front_end
from engine.text.lexicon import Lexicon

# Raised when the arithmetic of an audio step changes.
_AUDIO_REVISION = "1"
# In GPT-SoVITS the fullwidth yen sign asks for a pause phone; upstream takes that wish out of
# transcripts, since nobody spoke it. (Its other replacement, % to -, we leave out on purpose:
# the speaker did read the percentage, so the phones must hold it.)
_YEN, _COMMA = "￥", ","


def text_key(item: Item, lexicon: Lexicon, encoder_id: str) -> str:
    revision = str(front_end.REVISION)
    bert = encoder_id if item.language == "zh" else ""
    return digest(revision, item.language, item.text, lexicon.digest, bert)


def audio_key(item: Item, content_id: str) -> str:
    return digest(_AUDIO_REVISION, file_digest(item.wav), content_id)


def token_key(made_from_audio: str, base_id: str) -> str:
    return digest(made_from_audio, base_id)


def make_text(item: Item, lexicon: Lexicon, encoder: Any, folder: DatasetFolder) -> dict[str, Any]:
    """Fields of the index entry; writes the BERT features of Chinese."""
    made = read_text(item.text.replace(_YEN, _COMMA), item.language, lexicon, encoder)
    read = made.phones
    if not read.phones:
        raise _problem("engine.data.no_phones", item, text=item.text[:40])
    if made.features is None:
        # What an earlier text left there would no longer have a row for each phone.
        folder.bert(item.name).unlink(missing_ok=True)
    else:
        on_gpu = encoder.model.device.type == "cuda"
        replace_tensor(folder.bert(item.name), _stored(made.features, on_gpu))
    return {
        "phones": " ".join(read.phones),
        "word2ph": tuple(read.word2ph) if read.word2ph is not None else None,
        "normalized": " ".join(read.normalized.split()),  # a line break would end the row
    }


def make_audio(item: Item, content: Any, folder: DatasetFolder) -> float:
    """Write the 32 kHz wave and the content features (1, H, T); return seconds."""
    stored, heard = training_signals(item.wav)
    features = _content_features(content, torch.from_numpy(heard)[None])
    if features is None:
        raise _problem("engine.data.no_features", item)
    # Wave first: whoever sees features may rely on the wave.
    replace_wav(folder.wav(item.name), stored)
    replace_tensor(folder.features(item.name), features)
    return len(stored) / RATE_HZ


def make_tokens(item: Item, base_sovits: Any, folder: DatasetFolder) -> str:
    """Semantic tokens at 25 Hz, space-joined."""
    parameter = next(base_sovits.parameters())
    ssl = load_tensor(folder.features(item.name))
    with torch.inference_mode():
        codes = base_sovits.extract_latent(ssl.to(parameter.device, parameter.dtype))
    return " ".join(map(str, codes[0, 0].tolist()))


def _content_features(content: Any, wav: torch.Tensor) -> torch.Tensor | None:
    """Finite features, or None. Half precision may overflow: such a clip is heard in single."""
    features = content.features(wav)
    if not features.isfinite().all() and features.dtype == torch.float16:
        content.model.float()
        features = content.features(wav)
        content.model.half()
    return _stored(features, features.is_cuda) if features.isfinite().all() else None


def _stored(features: torch.Tensor, on_gpu: bool) -> torch.Tensor:
    # Upstream keeps half precision on a GPU and single on a CPU.
    return features.half() if on_gpu else features.float()


def _problem(key: str, item: Item, **facts: object) -> Problem:
    return Problem(key, ExitCode.DATA, line=item.line, name=item.name, **facts)
