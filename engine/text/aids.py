"""What helps to read one voice's texts: the user's words and the models found on this machine."""

from __future__ import annotations

from pathlib import Path

from engine.contract.layout import Layout
from engine.contract.problem import Problem
from engine.text.lexicon import Lexicon
from engine.text.zh.polyphones import FOLDER, Polyphones

WORDS = "words.txt"
# Where a vocabulary lies when the model has none: GPT-SoVITS's text encoder shares it.
_ENCODERS = "*/chinese-roberta-wwm-ext-large"


def open_polyphones(
    layout: Layout, given: Path | None = None
) -> tuple[Polyphones | None, Problem | None]:
    """The g2pW model of `given`, else of pretrained/, else None; and what kept it from use.

    Problem is raised only for a folder that was asked for: one that was merely found is done
    without.
    """
    root = Path(layout.pretrained)
    folder = given or root / FOLDER
    if given is None and not folder.is_dir():
        return None, None
    try:
        return Polyphones(folder, sorted(root.glob(_ENCODERS))), None
    except Problem as problem:
        if given is not None:
            raise
        return None, problem


def open_lexicon(
    layout: Layout, voice: str, polyphones: Polyphones | None, given: Path | None = None
) -> Lexicon:
    """The words of `given`, else of words.txt beside the voice's list; Problem when unreadable."""
    path = given or Path(layout.dataset(voice)) / WORDS
    if given is None and not path.is_file():
        return Lexicon(polyphones=polyphones)
    return Lexicon.load(path, polyphones)
