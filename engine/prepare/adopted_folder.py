"""A dataset folder that GPT-SoVITS itself has finished, trained without preparing it again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.prepare.dataset_folder import DatasetFolder
from sovdeck.engine.prepare.sources import list_file

_KANA = re.compile("[\u3040-\u30ff]")
_HANGUL = re.compile("[\uac00-\ud7af]")
_CJK = re.compile("[\u4e00-\u9fff]")
# Phones of Cantonese alone: a capital Y before a lower-case initial or final.
_CANTONESE = re.compile(r"Y[a-z]")


@dataclass(frozen=True)
class AdoptedItem:
    """One clip of such a folder; upstream keeps no language, so it is told from the text."""

    name: str
    language: str
    text: str
    seconds: float


def is_finished_elsewhere(spec: RunSpec, layout: Layout) -> bool:
    """Whether logs/NAME came finished, with no recordings here to prepare it from."""
    folder = DatasetFolder(Path(layout.features(spec.voice)))
    if folder.index.exists() or not folder.text_table.is_file():
        return False
    source = list_file(spec, layout)
    return not source.exists() and not Path(layout.dataset(spec.voice)).exists()


def adopted_items(folder: Path, seconds: Mapping[str, float]) -> list[AdoptedItem]:
    """The clips whose lengths are given by name, with what 2-name2text.txt says of them."""
    rows = DatasetFolder(folder).text_table.read_text(encoding="utf-8").split("\n")
    fields = [row.split("\t") for row in rows]
    return [
        AdoptedItem(row[0], _language(*row[1:]), row[3], seconds[row[0]])
        for row in fields
        if len(row) == 4 and row[0] in seconds
    ]


def _language(phones: str, word2ph: str, text: str) -> str:
    if word2ph.startswith("["):  # only Chinese and Cantonese count phones a character
        return "yue" if _CANTONESE.match(phones) else "zh"
    if _KANA.search(text) or _CJK.search(text):
        return "ja"
    return "ko" if _HANGUL.search(text) else "en"
