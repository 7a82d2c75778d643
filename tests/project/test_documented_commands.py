"""Every command that a page or a sentence names is one that the program understands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from sovdeck.engine.contract.catalogue import list_files, load_entries
from sovdeck.remote.rent.accounts import SIMULATORS_VARIABLE
from sovdeck.tui.cli.main import CLI_COMMANDS, build_parser, move_global_options_first

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    path.relative_to(ROOT).as_posix()
    for folder in (ROOT, ROOT / "docs", ROOT / "docs/zh", ROOT / "docs/decisions")
    for path in sorted(folder.glob("*.md"))
]
# What stands in a command inside a sentence: an option, a fact, NAME, a number, one of these.
SUBCOMMANDS = (
    "add check convert destroy export get include key lines login ls off offers push read relay "
    "remove runpod set spend start stop tiny voice whisper"
)
WORD = rf"--?[\w-]+(?:=\S+)?|\{{\w+\}}|[A-Z][A-Z/]+|\d+\w?|(?:{'|'.join(SUBCOMMANDS.split())})\b"
COMMAND = re.compile(rf"sovdeck (?:{'|'.join(CLI_COMMANDS)})\b(?: (?:{WORD}))*")
# Facts that are numbers; any other is the name of something.
NUMBERS = {"port", "count", "seconds", "epoch", "rounds"}
CHOICES = {"version": "v2", "provider": "runpod"}  # facts that are one of a few words


def commands_in_page(text: str) -> list[str]:
    """The indented command lines of a page."""
    return re.findall(r"^ {4,}(sovdeck\b.*)$", text, re.MULTILINE)


def commands_named_in_page(text: str) -> list[str]:
    """What a page names between backticks; it may leave out what must follow."""
    return re.findall(r"`(sovdeck [^`]+)`", text)


def commands_in_sentence(sentence: str) -> list[str]:
    """The commands of a sentence, its facts filled in."""
    return [
        re.sub(
            r"\{(\w+)\}",
            lambda fact: "2" if fact[1] in NUMBERS else CHOICES.get(fact[1], fact[1]),
            command,
        )
        for command in COMMAND.findall(sentence)
    ]


def words_of(command: str) -> list[str]:
    """The arguments that a shell would pass on."""
    words = shlex.split(re.split(r" [<|] ", command)[0], comments=True)[1:]
    return [word for word in words if word != "…"]


def parses(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What the parser says against a command; empty when it takes it."""
    argv = move_global_options_first(words_of(command))
    try:
        parser, _ = build_parser(argv, "en")
        parser.parse_args(argv)
    except SystemExit as ending:
        return "" if ending.code == 0 else capsys.readouterr().err.splitlines()[-1]
    return ""


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_is_understood(
    page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    refused = {one: why for one in commands_in_page(text) if (why := parses(one, capsys))}
    for one in commands_named_in_page(text):
        if (why := parses(one, capsys)) and "is missing: " not in why:
            refused[one] = why
    assert refused == {}


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
def test_the_readme_shows_every_step(page: str) -> None:
    named = {words_of(one)[0] for one in commands_in_page((ROOT / page).read_text("utf-8"))}
    assert {"server", "doctor", "deploy", "push", "train", "ps", "pull", "speak"} <= named


def test_both_readmes_and_both_sites_show_the_same_commands() -> None:
    """A text to speak may be in the page's own language."""
    pairs = [("README.md", "README.zh.md")] + [
        (f"docs/{name}.md", f"docs/zh/{name}.md")
        for name in ("start", "providers", "rent", "dataset", "training", "audition")
    ]
    for pair in pairs:
        english, chinese = (
            [without_texts(one) for one in commands_in_page((ROOT / name).read_text("utf-8"))]
            for name in pair
        )
        assert english == chinese, pair


def without_texts(command: str) -> list[str]:
    return ["TEXT" if " " in word or not word.isascii() else word for word in words_of(command)]


def test_every_command_of_a_sentence_is_understood(capsys: pytest.CaptureFixture[str]) -> None:
    """A sentence may leave out what the person has just typed, but names nothing that is not."""
    refused, count = {}, 0
    for package in ("engine", "remote", "tui"):
        for file in list_files(package):
            for name, entry in load_entries(package, file).items():
                for command in {c for one in entry.values() for c in commands_in_sentence(one)}:
                    count += 1
                    why = parses(command, capsys)
                    if why and "is missing: " not in why:
                        refused[f"{package}.{file}.{name}: {command}"] = why
    assert count > 40
    assert refused == {}


def test_every_failure_of_renting_names_a_next_step_that_exists(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A command, the provider's own page or the variable to correct, the same in each language."""
    steps = {}
    for name, entry in load_entries("remote", "rent").items():
        english, chinese = entry.get("hint_en", ""), entry.get("hint_zh", "")
        commands = commands_in_sentence(english)
        translated = commands_in_sentence(chinese)
        assert [words_of(one)[:2] for one in commands] == [words_of(one)[:2] for one in translated]
        # A command that was cut short would be understood without naming anything.
        assert all(len(words_of(one)) > 1 for one in commands), (name, commands)
        assert {one: why for one in commands if (why := parses(one, capsys))} == {}, name
        steps[name] = bool(commands) or "{page}" in english or SIMULATORS_VARIABLE in english
    assert len(steps) > 15 and [name for name, step in steps.items() if not step] == []
