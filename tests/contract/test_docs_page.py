"""The docs page of parameters is made from the table and kept up with it."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs"))

from make_parameters import PAGE, page  # noqa: E402

from engine.contract.params import PARAMS  # noqa: E402


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: make docs"


def test_every_parameter_is_on_it() -> None:
    text = page()
    assert [name for name in PARAMS if f"`{name}`" not in text] == []
