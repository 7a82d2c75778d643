"""`sovdeck help [TOPIC]`: a page of the documentation, or the options of a command."""

from __future__ import annotations

import argparse
import io
from contextlib import redirect_stdout, suppress

from sovdeck.engine.contract.catalogue import Language
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.help_topics import list_topics, read_topic
from sovdeck.tui.cli.main import CLI_COMMANDS, build_parser
from sovdeck.tui.cli.parser import add_json_option


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck help`."""
    parser.add_argument("topic", nargs="?", metavar="TOPIC")
    add_json_option(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Print the command's options, the page, or both; without a topic, what topics there are."""
    topics = list_topics(console.language)
    if args.topic is None:
        console.print_json({"topics": dict(topics), "commands": list(CLI_COMMANDS)})
        console.print_table(list(topics.items()))
        if not console.json_output:
            console.print_message("tui.cli.topics_more", commands=", ".join(CLI_COMMANDS))
        return 0
    # Some commands have a page of the same name, which comes after their options.
    parts = [_read_options(args.topic, console.language)] if args.topic in CLI_COMMANDS else []
    if args.topic in topics:
        parts.append(read_topic(args.topic, console.language))
    if not parts:
        raise Problem(
            "tui.cli.no_topic", ExitCode.CONFIG, topic=args.topic, topics=", ".join(topics)
        )
    said = "\n".join(parts)
    console.print_json({"topic": args.topic, "text": said})
    console.print_line(said.rstrip())
    return 0


def _read_options(command: str, language: Language) -> str:
    """What `sovdeck COMMAND --help` prints."""
    parser, _ = build_parser([command], language)
    printed = io.StringIO()
    with redirect_stdout(printed), suppress(SystemExit):
        parser.parse_args([command, "--help"])
    return printed.getvalue()
