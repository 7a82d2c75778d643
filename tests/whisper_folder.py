"""The real Whisper model that some tests hear with, where one is given."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

VARIABLE = "SOVDECK_TEST_WHISPER"


def whisper_folder() -> Path:
    """The folder the variable names; skips the test where it or the package is missing."""
    named = os.environ.get(VARIABLE)
    if not named:
        pytest.skip(f"{VARIABLE} names no multilingual Whisper folder (CTranslate2)")
    pytest.importorskip("faster_whisper")
    return Path(named)
