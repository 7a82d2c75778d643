"""Output of the engine's commands to a terminal: its language, and notices on stderr."""

from __future__ import annotations

import os
import sys

from sovdeck.engine.contract.catalogue import Language
from sovdeck.engine.contract.problem import Problem


def output_language() -> Language:
    """The language of sentences: SOVDECK_LANG, else the locale's."""
    wanted = os.environ.get("SOVDECK_LANG") or os.environ.get("LANG", "")
    return "zh" if wanted.lower().startswith("zh") else "en"


def print_notice(notice: Problem | None) -> None:
    """Print to stderr what the user should know although the command goes on."""
    if notice is not None:
        print(notice.sentence(output_language()), file=sys.stderr)
