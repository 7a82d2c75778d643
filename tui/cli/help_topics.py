"""The pages of the documentation that the program brings along: the topics of `sovdeck help`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from sovdeck import tui
from sovdeck.engine.contract.catalogue import Language

# A checkout has them in docs/ at its root, an installed package beside its three parts.
_FOLDER = Path(tui.__file__).resolve().parents[1] / "docs"
_PICTURE = re.compile(r"^!\[.*\]\(.*\)\n\n?", re.MULTILINE)
# Who only uses the program does not look for these.
_FOR_CONTRIBUTORS = ("index", "architecture", "adding_a_language", "proof", "threats")


@cache
def list_topics(language: Language) -> Mapping[str, str]:
    """Return the title of each topic by its name; a page without a translation in English."""
    return {
        name: page.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
        for name, page in _pages(language).items()
    }


def read_topic(name: str, language: Language) -> str:
    """Return a topic's page, as Markdown without pictures. KeyError for a name that is none."""
    return _PICTURE.sub("", _pages(language)[name].read_text(encoding="utf-8"))


@cache
def _pages(language: Language) -> Mapping[str, Path]:
    folders = (_FOLDER,) if language == "en" else (_FOLDER, _FOLDER / language)
    found = {page.stem: page for folder in folders for page in sorted(folder.glob("*.md"))}
    return {name: page for name, page in found.items() if name not in _FOR_CONTRIBUTORS}
