"""Pictures of the dashboard are drawn in a browser as the terminal shows them."""

from __future__ import annotations

import re
import sys
from html import unescape
from pathlib import Path

import pytest
from rich.cells import cell_len

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs"))

from make_pictures import PICTURES, correct_svg  # noqa: E402

FILES = [ROOT / "docs" / name for name, *_ in PICTURES]
TEXT = re.compile(r'<text class="[^"]*-r\d+"[^>]*textLength="([\d.]+)"[^>]*>([^<]*)')


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_picture_is_as_wide_as_its_cells_and_loads_nothing(path: Path) -> None:
    svg = path.read_text(encoding="utf-8")
    assert "font-variant-ligatures: none" in svg and "@font-face" not in svg
    texts = TEXT.findall(svg)
    assert len(texts) > 50
    for length, text in texts:
        assert float(length) == pytest.approx(cell_len(unescape(text)) * 12.2, abs=0.1), text


def test_a_chinese_character_is_two_cells_wide() -> None:
    drawn = '<text class="terminal-1-r2" x="0" textLength="48.8">&#160;阶段&#160;</text>'
    assert 'textLength="73.2"' in correct_svg(drawn)
