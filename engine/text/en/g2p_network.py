"""Phones of words that are not in the dictionary: a compound's parts, else g2p_en's network."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from sovdeck.engine.text.package_data import package_file

_GRAPHEMES = ["<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz"]
_PHONES = (
    "<pad> <unk> <s> </s> AA0 AA1 AA2 AE0 AE1 AE2 AH0 AH1 AH2 AO0 AO1 AO2 AW0 AW1 AW2 AY0 AY1 AY2 "
    "B CH D DH EH0 EH1 EH2 ER0 ER1 ER2 EY0 EY1 EY2 F G HH IH0 IH1 IH2 IY0 IY1 IY2 JH K L M N NG "
    "OW0 OW1 OW2 OY0 OY1 OY2 P R S SH T TH UH0 UH1 UH2 UW UW0 UW1 UW2 V W Y Z ZH"
).split()
_START, _END = 2, 3
_MAX_PHONES = 20
_MAX_WORD_LETTERS = 60

NetworkWeights = Mapping[str, np.ndarray]


@lru_cache(maxsize=4096)
def predict_phones(word: str) -> tuple[str, ...]:
    """ARPAbet of a lower-case `word` by the network alone (an encoder and a decoder GRU)."""
    weights = _weights()
    letters = [*word[:_MAX_WORD_LETTERS], "</s>"]
    state = np.zeros(256, np.float32)
    for letter in letters:
        number = _GRAPHEMES.index(letter) if letter in _GRAPHEMES else 1
        state = _gru(weights, "enc", weights["enc_emb"][number], state)
    phones: list[str] = []
    last = _START
    for _ in range(_MAX_PHONES):
        state = _gru(weights, "dec", weights["dec_emb"][last], state)
        last = int((weights["fc_w"] @ state + weights["fc_b"]).argmax())
        if last == _END:
            break
        phones.append(_PHONES[last])
    # The bare UW stands in no phone table; upstream leaves it out too.
    return tuple(phone for phone in phones if phone != "UW" and not phone.startswith("<"))


@cache
def _weights() -> NetworkWeights:
    with np.load(package_file("g2p_en", "g2p_en/checkpoint20.npz"), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _gru(weights: NetworkWeights, side: str, x: np.ndarray, state: np.ndarray) -> np.ndarray:
    """One step of a GRU in PyTorch's layout: gates r, z, n of 256 rows each."""
    inside = weights[f"{side}_w_ih"] @ x + weights[f"{side}_b_ih"]
    before = weights[f"{side}_w_hh"] @ state + weights[f"{side}_b_hh"]
    reset, update = 1 / (1 + np.exp(-(inside[:512] + before[:512]).reshape(2, 256)))
    new = np.tanh(inside[512:] + reset * before[512:])
    return (1 - update) * new + update * state


@lru_cache(maxsize=4096)
def split_compound(word: str) -> tuple[str, ...]:
    """Split a compound into likely words, by unigram and bigram counts."""
    return tuple(_load_segmenter().segment(word[:_MAX_WORD_LETTERS])) or (word,)


@cache
def _load_segmenter() -> Any:
    # The package's own `load` takes three times as long over the same 12 MB of counts.
    from wordsegment import Segmenter

    segmenter = Segmenter()
    segmenter.unigrams = _read_counts(segmenter.UNIGRAMS_FILENAME)
    segmenter.bigrams = _read_counts(segmenter.BIGRAMS_FILENAME)
    segmenter.total, segmenter.limit = segmenter.TOTAL, segmenter.LIMIT
    return segmenter


def _read_counts(file: str) -> dict[str, float]:
    """Read a file of lines `words TAB count`."""
    fields = Path(file).read_text(encoding="utf-8").replace("\n", "\t").split("\t")
    return dict(zip(fields[::2], map(float, fields[1::2]), strict=False))
