"""Open the lexicon of a voice: the user's words, and the polyphone model of this machine."""

from __future__ import annotations

from pathlib import Path

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.text.lexicon import Lexicon
from sovdeck.engine.text.zh.polyphones import MODEL_FOLDER, PolyphoneModel

LEXICON_FILE = "words.txt"
# Where a vocabulary lies when the model has none: GPT-SoVITS's text encoder shares it.
_ENCODER_PATTERN = "*/chinese-roberta-wwm-ext-large"


def open_polyphones(
    layout: Layout, given: Path | None = None
) -> tuple[PolyphoneModel | None, Problem | None]:
    """The g2pW model of `given`, else of pretrained/, else None; and why it cannot be used.

    The Problem is raised for a folder that was given, and returned for one that was merely
    found.
    """
    root = Path(layout.pretrained)
    folder = given or root / MODEL_FOLDER
    if given is None and not folder.is_dir():
        return None, None
    try:
        return PolyphoneModel(folder, sorted(root.glob(_ENCODER_PATTERN))), None
    except Problem as problem:
        if given is not None:
            raise
        return None, problem


def open_lexicon(
    layout: Layout, voice: str, polyphones: PolyphoneModel | None, given: Path | None = None
) -> Lexicon:
    """The words of `given`, else of words.txt beside the voice's list; Problem when unreadable."""
    path = given or Path(layout.dataset(voice)) / LEXICON_FILE
    if given is None and not path.is_file():
        return Lexicon(polyphones=polyphones)
    return Lexicon.load(path, polyphones)
