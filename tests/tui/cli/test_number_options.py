"""Numbers of command lines: within what an option takes, or one sentence with its range."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator

import pytest

from sovdeck.engine import cli as engine_cli
from sovdeck.engine.contract.catalogue import LANGUAGES, Language
from sovdeck.engine.contract.number_options import amount, whole
from sovdeck.tui.cli.main import CLI_COMMANDS, build_parser, main

ODD = ("nan", "inf", "-inf", "1e999", "-1e9", "9" * 400, "9" * 5000, "", "8x", "\u00b2", "\ud800")


def parsers_below(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from parsers_below(inner)


def numbers(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The numeric options of one parser; AssertionError for one without a range."""
    for action in parser._actions:
        assert action.type not in (int, float), action.option_strings
        if getattr(action.type, "__module__", "") == whole.__module__:
            yield action


@pytest.mark.parametrize("command", sorted(CLI_COMMANDS))
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_number_out_of_range_is_one_sentence(
    command: str, language: Language, capsys: pytest.CaptureFixture[str]
) -> None:
    root, _ = build_parser([command], language)
    subparsers = next(a for a in root._actions if isinstance(a, argparse._SubParsersAction))
    for parser in parsers_below(subparsers.choices[command]):
        for action in numbers(parser):
            for odd in ODD:
                option = action.option_strings[0]
                with pytest.raises(SystemExit) as ended:
                    parser.parse_args([f"{option}={odd}"])
                said = capsys.readouterr().err
                assert ended.value.code == 2 and option in said, odd


def test_the_engines_numbers_have_ranges_too() -> None:
    modules = [importlib.import_module(name) for name in engine_cli._COMMANDS]
    found = [
        action
        for parser in parsers_below(engine_cli._build_parser(modules))
        for action in numbers(parser)
    ]
    assert len(found) > 8


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "takes a number from 0 to 65535, not 70000"), ("zh", "应为 0 到 65535 之间的数")],
)
def test_the_range_is_said(language: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--lang", language, "web", "--port", "70000"])
    assert words in capsys.readouterr().err


def test_both_ends_of_a_range_belong_to_it() -> None:
    assert [whole(1, 9)(typed) for typed in ("1", " 9")] == [1, 9]
    assert [amount(-0.5, 2)(typed) for typed in ("-0.5", "2", "1e0")] == [-0.5, 2.0, 1.0]
    for typed in ("0", "10"):
        with pytest.raises(argparse.ArgumentTypeError, match="is not from 1 to 9"):
            whole(1, 9)(typed)
