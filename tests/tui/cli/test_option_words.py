"""Every word of the command line's help comes from the catalogue, in both languages."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sovdeck.engine.contract.catalogue import Language
from sovdeck.tui.cli.commands.params import param_lines
from sovdeck.tui.cli.main import CLI_COMMANDS, build_parser, main

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("path", sorted((ROOT / "tui").rglob("*.py")), ids=lambda p: p.name)
def test_no_help_is_written_in_code(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg in ("help", "description", "epilog"):
            literal = isinstance(node.value, (ast.Constant, ast.JoinedStr))
            assert not literal, f"line {node.value.lineno}: put it into words/*/options.json"


def parsers(language: Language, command: str) -> Iterator[argparse.ArgumentParser]:
    root, _ = build_parser([command], language)
    waiting = [root]
    while waiting:
        parser = waiting.pop()
        yield parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                asked = [command] if parser is root else list(action.choices)
                waiting += [action.choices[name] for name in asked]


@pytest.mark.parametrize("command", sorted(CLI_COMMANDS))
def test_every_option_is_explained_in_both_languages(command: str) -> None:
    for english, chinese in zip(parsers("en", command), parsers("zh", command), strict=True):
        assert english.prog == chinese.prog
        for one, other in zip(english._actions, chinese._actions, strict=True):
            if isinstance(one, argparse._SubParsersAction):
                continue
            assert one.help and other.help, one.dest
            assert one.help != other.help and re.search(r"[\u4e00-\u9fff]", other.help), one.dest


@pytest.mark.parametrize("command", sorted(CLI_COMMANDS))
def test_chinese_help_is_chinese(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--lang", "zh", command, "--help"])
    said = capsys.readouterr().out
    assert said.startswith("用法：") and "选项:" in said
    for word in ("usage", "options:", "show this", "arguments:", "default"):
        assert word not in said


@pytest.mark.parametrize(("language", "word"), [("en", "See: "), ("zh", "命令行有误")])
def test_a_wrong_option_is_one_sentence_with_where_to_read(
    language: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--lang", language, "push", "--nix"])
    said = capsys.readouterr()
    assert left.value.code == 2 and said.out == ""
    assert word in said.err and "--nix" in said.err


def test_params_speaks_one_language(capsys: pytest.CaptureFixture[str]) -> None:
    from sovdeck.engine.contract.params import find_param

    lines = "\n".join(param_lines(find_param("infer.top_k"), "zh"))
    assert "范围：" in lines and "默认：" in lines and "range" not in lines
    assert "range: 1-100" in "\n".join(param_lines(find_param("infer.top_k"), "en"))
