"""`sovdeck help`: topics in the chosen language, the help of a command, and no dead end."""

from __future__ import annotations

import json

import pytest

from sovdeck.engine.contract.catalogue import LANGUAGES, Language
from sovdeck.tui.cli.help_topics import list_topics, read_topic
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
    assert main(["--lang", "en", "help", "pull"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("usage: sovdeck pull") and "--contents" in said
    assert main(["help", "pull", "--json"]) == 0
    assert "--contents" in json.loads(capsys.readouterr().out)["text"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_listed_topic_is_read_to_its_end(
    language: Language, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where a command has the same name (audition, gpu, rent)."""
    for topic, title in list_topics(language).items():
        assert main(["--lang", language, "help", topic]) == 0
        said = capsys.readouterr().out
        assert f"# {title}\n" in said and said.endswith(read_topic(topic, language).rstrip() + "\n")


def test_an_unknown_topic_names_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang", "en", "help", "../start"]) == 2
    assert "providers" in capsys.readouterr().err
