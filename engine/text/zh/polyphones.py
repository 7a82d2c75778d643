"""Readings of Chinese polyphones by the g2pW model, where its folder is given.

Reads the published folder (G2PWModel 1.1: `g2pW.onnx` and its tables) as it is; the config in it
is a Python file, of which only plain assignments are read. Its vocabulary is that of
bert-base-chinese, which also lies beside GPT-SoVITS's Chinese text encoder.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sovdeck.engine.contract.atomic_io import file_sha256
from sovdeck.engine.contract.problem import ExitCode, Problem

MODEL_FOLDER = "G2PWModel"
_MODEL_FILE = "g2pW.onnx"
# Characters the model is worse at than pypinyin and the rules after it (compat SPEC 6.3).
_EXCLUDED_POLYPHONES = frozenset("一不和咋嗲剖差攢倒難奔勁拗肖瘙誒泊听噢")
_EXCLUDED_MONOPHONES = frozenset("似攢")
_CONTEXT_CHARACTERS = 16  # characters of context on both sides of the outermost polyphones


class PolyphoneModel:
    """The g2pW model and its tables; Problem when the folder cannot be used.

    `vocabularies` are folders to look for BERT's vocabulary in, after the model's own.
    """

    def __init__(self, folder: Path, vocabularies: Iterable[Path] = ()) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise Problem("engine.text.g2pw_package", ExitCode.CONFIG) from error
        try:
            self._read_tables(folder)
            self._vocabulary = _read_vocabulary([folder, *vocabularies])
            self._session = onnxruntime.InferenceSession(
                str(folder / _MODEL_FILE), providers=["CPUExecutionProvider"]
            )
            # A model with another table of readings would give random ones: try it now.
            asked = next(iter(self._readings))
            if self._probabilities(asked, [0]).shape != (1, len(self._labels)):
                raise ValueError(f"{_MODEL_FILE} does not know {len(self._labels)} readings")
        except Exception as error:  # noqa: BLE001  onnxruntime has a dozen kinds of its own
            why = f"{type(error).__name__}: {error}".splitlines()[0][:160]
            raise Problem(
                "engine.text.g2pw_damaged", ExitCode.CONFIG, folder=str(folder), why=why
            ) from error
        self.digest = file_sha256(folder / _MODEL_FILE)

    def predict_pinyin(self, clause: str) -> list[str | None]:
        """Pinyin with a tone digit for each character of `clause`, None for unknown ones."""
        found = [self._monophones.get(letter) for letter in clause]
        positions = [at for at, letter in enumerate(clause) if letter in self._polyphones]
        if positions:
            start = max(0, positions[0] - _CONTEXT_CHARACTERS)
            text = clause[start : positions[-1] + _CONTEXT_CHARACTERS + 1]
            best = self._probabilities(text, [at - start for at in positions]).argmax(axis=1)
            for at, number in zip(positions, best.tolist(), strict=True):
                found[at] = self._to_pinyin(self._labels[number].split(" ")[-1])
        return found

    def _read_tables(self, folder: Path) -> None:
        config = _read_assignments(folder / "config.py")
        named = bool(config.get("use_char_phoneme", False))
        several = _read_rows(folder / "POLYPHONIC_CHARS.txt")
        readings = [f"{letter} {sound}" if named else sound for letter, sound in several]
        self._labels = sorted(set(readings))
        number = {label: index for index, label in enumerate(self._labels)}
        self._readings: dict[str, list[int]] = {}
        for (letter, _), reading in zip(several, readings, strict=True):
            self._readings.setdefault(letter, []).append(number[reading])
        self._letters = {letter: index for index, letter in enumerate(sorted(self._readings))}
        self._masked = bool(config.get("use_mask", True))
        self._polyphones = self._readings.keys() - _EXCLUDED_POLYPHONES
        names = folder / "bopomofo_to_pinyin_wo_tune_dict.json"
        self._pinyin_by_bopomofo: dict[str, str] = json.loads(names.read_text(encoding="utf-8"))
        self._monophones = {
            letter: self._to_pinyin(sound)
            for letter, sound in _read_rows(folder / "MONOPHONIC_CHARS.txt")
            if letter not in _EXCLUDED_MONOPHONES
        }

    def _to_pinyin(self, bopomofo: str) -> str | None:
        """ㄏㄤ2 -> hang2; None for a sound without a name."""
        name = self._pinyin_by_bopomofo.get(bopomofo[:-1])
        return None if name is None else name + bopomofo[-1]

    def _probabilities(self, text: str, positions: Sequence[int]) -> np.ndarray[Any, Any]:
        """(len(asked), readings) for the characters at `asked` of one text."""
        unknown = self._vocabulary["[UNK]"]
        tokens = [self._vocabulary.get(letter, unknown) for letter in text.lower()]
        row = [self._vocabulary["[CLS]"], *tokens, self._vocabulary["[SEP]"]]
        count = len(positions)
        allowed = np.full((count, len(self._labels)), float(not self._masked), np.float32)
        for query, at in enumerate(positions):
            allowed[query, self._readings[text[at]]] = 1
        given = {
            "input_ids": np.tile(np.array(row, np.int64), (count, 1)),
            "token_type_ids": np.zeros((count, len(row)), np.int64),
            "attention_mask": np.ones((count, len(row)), np.int64),
            "phoneme_mask": allowed,
            "char_ids": np.array([self._letters[text[at]] for at in positions], np.int64),
            "position_ids": np.array(positions, np.int64) + 1,  # [CLS] stands first
        }
        found: np.ndarray[Any, Any] = self._session.run(None, given)[0]
        return found


def _read_rows(path: Path) -> list[tuple[str, str]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = [line.split("\t") for line in lines if line.strip()]
    return [(letter, sound.strip()) for letter, sound in pairs]


def _read_assignments(path: Path) -> dict[str, Any]:
    """Names and plain values of a Python file, which is never run; {} without the file."""
    if not path.is_file():
        return {}
    found = {}
    for line in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(line, ast.Assign) and isinstance(line.value, ast.Constant):
            found.update({t.id: line.value.value for t in line.targets if isinstance(t, ast.Name)})
    return found


def _read_vocabulary(folders: Iterable[Path]) -> dict[str, int]:
    """Rows of BERT's vocabulary, from the first folder that has one in either form."""
    for folder in folders:
        if (folder / "vocab.txt").is_file():
            lines = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
            return {line: row for row, line in enumerate(lines)}
        if (folder / "tokenizer.json").is_file():
            whole = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
            vocabulary: dict[str, int] = whole["model"]["vocab"]
            return vocabulary
    raise FileNotFoundError("neither vocab.txt nor tokenizer.json")
