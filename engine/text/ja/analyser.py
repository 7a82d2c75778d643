"""OpenJTalk's analyser: words with their features, and full-context labels."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

_PACKAGE = "pyopenjtalk"
# What the compiled analyser takes from packages above it lies in modules without imports of
# their own; importing the packages themselves loads pydantic and two neural networks' runtime.
_PARENTS = (_PACKAGE, f"{_PACKAGE}.tsqyomi")


class Analysis:
    """A text's words: `lines` of the dictionary, and `features`, which OpenJTalk reads it by."""

    def __init__(self, analyser: Any, text: str) -> None:
        self._analyser = analyser
        self.lines: Sequence[str] = analyser.run_mecab(text)
        # Without the package's own corrections: they are absent from upstream's training data.
        self.features: list[dict[str, Any]] = analyser.run_njd_from_mecab(
            self.lines, restore_unknown_katakana=False, modify_numeral_reading=False
        )

    def make_labels(self) -> list[str]:
        """Return one full-context label a phone, from the features as they are now."""
        labels: list[str] = self._analyser.make_label(self.features)
        return labels


def analyse(text: str) -> Analysis:
    """Analyse a Japanese `text` of a few hundred characters: OpenJTalk's buffers are fixed."""
    return Analysis(_load_analyser(), text)


@cache
def _load_analyser() -> Any:
    spec = find_spec(_PACKAGE)
    assert spec is not None and spec.origin is not None
    folder = Path(spec.origin).parent
    with _bare_parents(folder):
        from pyopenjtalk.openjtalk import OpenJTalk
    # Maps a dictionary of 100 MB into memory, so only when needed.
    return OpenJTalk(dn_mecab=bytes(folder / "dictionary"))


@contextmanager
def _bare_parents(folder: Path) -> Iterator[None]:
    """Let modules of the package in `folder` be imported without their packages' own code.

    Whoever imports the package afterwards gets the whole of it.
    """
    if _PACKAGE in sys.modules:  # whole, and in use
        yield
        return
    for name in _PARENTS:
        parent = ModuleType(name)
        parent.__path__ = [str(folder.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = parent
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == _PACKAGE]:
            del sys.modules[name]
