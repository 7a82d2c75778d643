"""docs/architecture.md names only files that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_file_it_names_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:tui|remote|engine|tests|dev|docs)/[\w./-]+)`", text))
    assert len(named) > 40
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_module_it_names_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    modules = {
        path.name
        for package in ("engine", "remote", "tui")
        for path in (ROOT / package).rglob("*.py")
    }
    assert set(re.findall(r"`(\w+\.py)`", text)) - modules == set()
