"""docs/architecture.md names every layer; it and its neighbours name only files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tomllib

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["architecture.md", "zh/architecture.md"]


@pytest.mark.parametrize("page", [*PAGES, "threats.md", "proof.md"])
def test_every_file_it_names_exists(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:tui|remote|engine|tests|dev|docs)/[\w./-]+)`", text))
    assert len(named) > (40 if page in PAGES else 8)
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_module_it_names_exists(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    modules = {
        path.name
        for package in ("engine", "remote", "tui")
        for path in (ROOT / package).rglob("*.py")
    }
    assert set(re.findall(r"`(\w+\.py)`", text)) - modules == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_layer_of_the_import_contracts_stands_in_its_table(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    missing = []
    for package in ("tui", "remote", "engine"):
        table = text.partition(f"\n**{package}**\n")[2].partition("\n\n**")[0].partition("\n## ")[0]
        (contract,) = (
            one
            for one in project["tool"]["importlinter"]["contracts"]
            if one["name"] == f"Rooms of {package}" or one["name"] == f"Rooms of the {package}"
        )
        layers = [name for row in contract["layers"] for name in re.split(r"\s*:\s*", row)]
        named = set(re.findall(r"`([\w.]+?)(?:/|\.py)?`", table))
        missing += [f"{package}.{name}" for name in layers if name not in {*named, "__main__"}]
    assert missing == []
