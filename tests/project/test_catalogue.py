"""Every sentence exists in both languages, with the same facts in both, and is used."""

from __future__ import annotations

import ast
import re
import string
from functools import lru_cache
from pathlib import Path

import pytest

from sovdeck.engine.contract.catalogue import hint, list_files, load_entries, text
from sovdeck.engine.contract.problem import ExitCode, Problem

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("engine", "remote", "tui")
ENTRIES = {
    f"{package}.{file}.{name}": entry
    for package in PACKAGES
    for file in list_files(package)
    for name, entry in load_entries(package, file).items()
}
# A whole string of the code that could be a key.
KEY = re.compile(r"(engine|remote|tui)\.([a-z_0-9]+)\.[a-z_0-9]+")


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def test_both_languages_say_the_same() -> None:
    for key, entry in ENTRIES.items():
        assert set(entry) <= {"en", "zh", "hint_en", "hint_zh"}, key
        assert entry["en"].strip() and entry["zh"].strip(), key
        assert ("hint_en" in entry) == ("hint_zh" in entry), key
        assert placeholders(entry["en"]) == placeholders(entry["zh"]), key
        hints = entry.get("hint_en", ""), entry.get("hint_zh", "")
        assert placeholders(hints[0]) == placeholders(hints[1]), key


def test_numbers_go_with_their_words() -> None:
    """Two forms, of which a Chinese sentence needs none; nothing is written as "clip(s)"."""
    counted = 0
    for key, entry in ENTRIES.items():
        for part, sentence in entry.items():
            assert "(s)" not in sentence, key
            assert not re.search(r"\{count\} (?!is\b|was\b)[a-z]+s\b", sentence), key
            for _, name, spec, _ in string.Formatter().parse(sentence):
                if name is not None and "|" in (spec or ""):
                    counted += 1
                    forms = str(spec).split("|")
                    assert len(forms) == 2 and all(forms) and part.endswith("en"), key
    assert counted > 50


@pytest.mark.parametrize(("count", "said"), [(0, "0 lines"), (1, "1 line"), ("1", "1 line")])
def test_one_is_not_many(count: object, said: str) -> None:
    assert text("tui.logs.lines", count=count).en == said
    assert text("tui.logs.lines", count=7).en == "7 lines"


@lru_cache(maxsize=1)
def strings_in_code() -> tuple[set[str], set[str]]:
    """Whole strings, and the fixed beginnings of f-strings (`tui.cli.command_{verb}`)."""
    found: set[str] = set()
    beginnings: set[str] = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
            joined = [node for node in nodes if isinstance(node, ast.JoinedStr)]
            parts = {id(part) for node in joined for part in node.values}
            for node in nodes:
                if isinstance(node, ast.Constant) and id(node) not in parts:
                    found.add(str(node.value))
            for one in joined:
                if isinstance(one.values[0], ast.Constant):
                    start = str(one.values[0].value)
                    if start.count(".") >= 2:
                        beginnings.add(start)
    return found, beginnings


def test_every_sentence_named_in_code_is_in_the_catalogue() -> None:
    files = {(package, file) for package in PACKAGES for file in list_files(package)}
    whole, beginnings = strings_in_code()
    named = {one for one in whole if (key := KEY.fullmatch(one)) and key.groups() in files}
    assert len(named) > 500
    # What ends in a line is the beginning of a key, as an f-string's fixed part is.
    begun = {one for one in named if one.endswith("_")}
    assert sorted(named - begun - set(ENTRIES)) == []
    started = begun | {one for one in beginnings if KEY.match(one)}
    assert [one for one in started if not any(key.startswith(one) for key in ENTRIES)] == []


def test_every_entry_is_used() -> None:
    whole, beginnings = strings_in_code()
    unused = [k for k in ENTRIES if k not in whole and not k.startswith(tuple(beginnings))]
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
