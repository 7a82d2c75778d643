"""Each package says in its docstring what it may import; each folder of tests what it promises."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import tomllib

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def layered_packages() -> list[tuple[Path, str]]:
    """Each package in a layers contract, with the sentence that its docstring must hold."""
    packages = []
    for contract in PROJECT["tool"]["importlinter"]["contracts"]:
        if contract["type"] != "layers" or "containers" not in contract:
            continue
        (container,) = contract["containers"]
        folder = ROOT / container.removeprefix("sovdeck.").replace(".", "/")
        layers = [re.split(r"\s*:\s*", layer) for layer in contract["layers"]]
        for layer, below in zip(layers, [*layers[1:], []], strict=True):
            for name in layer:
                init = folder / name / "__init__.py"
                if init.exists():
                    packages.append(
                        (init, sentence(container.removeprefix("sovdeck."), below, layers))
                    )
    return packages


def sentence(package: str, below: list[str], layers: list[list[str]]) -> str:
    if not below:
        return f"May import nothing of `{package}` from a layer above."
    names = ", ".join(f"`{name}`" for name in below)
    tail = "" if below == layers[-1] else " and the layers below"
    return f"May import, of `{package}`: {names}{tail}."


@pytest.mark.parametrize(
    ("init", "expected"),
    [
        pytest.param(init, text, id=str(init.parent.relative_to(ROOT)))
        for init, text in layered_packages()
    ],
)
def test_a_package_says_what_it_may_import(init: Path, expected: str) -> None:
    docstring = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))) or ""
    assert expected in " ".join(docstring.split())


def test_each_folder_of_tests_has_its_promises_in_one_table() -> None:
    page = (ROOT / "tests/README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `([^`]+)/` \|", page, re.MULTILINE))
    there = {
        str(path.parent.relative_to(ROOT / "tests"))
        for path in (ROOT / "tests").rglob("*.py")
        if path.parent != ROOT / "tests"
    }
    assert named == there
