"""Output of the engine's commands to a terminal: its language, and notices on stderr."""

from __future__ import annotations

import os
import sys

from sovdeck.engine.contract.catalogue import Language, system_language
from sovdeck.engine.contract.problem import Problem


def output_language() -> Language:
    """The language of sentences on this terminal."""
    return system_language(os.environ)


def print_notice(notice: Problem | None) -> None:
    """Print to stderr what the user should know although the command goes on."""
    if notice is not None:
        print(notice.sentence(output_language()), file=sys.stderr)
