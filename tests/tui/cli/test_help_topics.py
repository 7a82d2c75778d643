"""`sovdeck help`: topics in the chosen language, the help of a command, and no dead end."""

from __future__ import annotations

import json

import pytest

from sovdeck.tui.cli.help_topics import list_topics
from sovdeck.tui.cli.main import main


def test_both_languages_have_the_same_topics() -> None:
    assert set(list_topics("en")) == set(list_topics("zh")) >= {"start", "faq", "troubleshooting"}
    assert list_topics("en")["start"] == "The first ten minutes"
    assert not {"index", "architecture", "adding_a_language", "proof", "threats"} & set(
        list_topics("en")
    )


def test_a_topic_is_read_in_the_chosen_language(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang", "en", "help", "start"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("# The first ten minutes\n") and "![" not in said
    assert main(["--lang", "zh", "help", "start"]) == 0
    assert capsys.readouterr().out.startswith("# 最初十分钟\n")


def test_without_a_topic_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang", "en", "help"]) == 0
    said = capsys.readouterr().out
    assert "deploy, models" in said
    assert any(
        line.split(None, 1) == ["troubleshooting", "Troubleshooting by message"]
        for line in said.splitlines()
    )
    assert main(["help", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["topics"]["glossary"]


def test_a_command_is_a_topic(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--lang", "en", "help", "pull"])
    assert left.value.code == 0 and "--contents" in capsys.readouterr().out


def test_an_unknown_topic_names_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang", "en", "help", "../start"]) == 2
    assert "providers" in capsys.readouterr().err
