"""Every sentence exists in both languages, with the same facts in both, and is used."""

from __future__ import annotations

import ast
import json
import string
from pathlib import Path

import pytest

from engine.contract.catalogue import hint, text
from engine.contract.problem import ExitCode, Problem

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    p for package in ("engine", "remote", "tui") for p in (ROOT / package).glob("words/*.json")
)
ENTRIES = [
    (path, name, entry)
    for path in FILES
    for name, entry in json.loads(path.read_text(encoding="utf-8")).items()
]


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def key_of(path: Path, name: str) -> str:
    return f"{path.parent.parent.name}.{path.stem}.{name}"


@pytest.mark.parametrize(
    ("path", "name", "entry"), ENTRIES, ids=[key_of(p, n) for p, n, _ in ENTRIES]
)
def test_both_languages_say_the_same(path: Path, name: str, entry: dict[str, str]) -> None:
    assert set(entry) <= {"en", "zh", "hint_en", "hint_zh"}
    assert entry["en"].strip() and entry["zh"].strip()
    assert ("hint_en" in entry) == ("hint_zh" in entry)
    assert placeholders(entry["en"]) == placeholders(entry["zh"])
    assert placeholders(entry.get("hint_en", "")) == placeholders(entry.get("hint_zh", ""))


def strings_in_code() -> tuple[set[str], set[str]]:
    """Whole strings, and the fixed beginnings of f-strings (`tui.cli.verb_{verb}`)."""
    found: set[str] = set()
    beginnings: set[str] = set()
    for package in ("engine", "remote", "tui"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.add(node.value)
                elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                    start = str(node.values[0].value)
                    if start.count(".") >= 2:
                        beginnings.add(start)
    return found, beginnings


def test_every_problem_named_in_code_is_in_the_catalogue() -> None:
    keys = {key_of(path, name) for path, name, _ in ENTRIES}
    missing = []
    for package in ("engine", "remote", "tui"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                is_problem = (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id == "Problem"
                    and node.args
                    and isinstance(node.args[0], ast.Constant)
                )
                if is_problem and node.args[0].value not in keys:  # type: ignore[attr-defined]
                    missing.append(f"{path.relative_to(ROOT)}: {node.args[0].value}")  # type: ignore[attr-defined]
    assert missing == []


def test_every_entry_is_used() -> None:
    whole, beginnings = strings_in_code()
    keys = [key_of(path, name) for path, name, _ in ENTRIES]
    unused = [k for k in keys if k not in whole and not k.startswith(tuple(beginnings))]
    assert unused == []


def test_a_problem_reads_as_one_sentence_in_each_language() -> None:
    problem = Problem("engine.layout.bad_name", ExitCode.CONFIG, name="a/b")
    assert '"a/b"' in problem.sentence("en") and "“a/b”" in problem.sentence("zh")
    assert problem.as_json()["code"] == "engine.layout.bad_name"
    assert (
        text("engine.layout.bad_name", name="x").get("zh")
        == text("engine.layout.bad_name", name="x").zh
    )
    assert hint("engine.layout.bad_name").en


def test_a_problem_survives_pickling() -> None:
    import pickle

    problem = Problem("engine.layout.bad_name", ExitCode.CONFIG, name="a/b")
    again = pickle.loads(pickle.dumps(problem))
    assert again.exit_code is ExitCode.CONFIG and again.facts == {"name": "a/b"}
