"""`sovdeck help [TOPIC]`: a page of the documentation, or the help of a command."""

from __future__ import annotations

import argparse

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
    """Print the page or the command's help; without a topic, what topics there are."""
    topics = list_topics(console.language)
    if args.topic is None:
        console.print_json({"topics": dict(topics), "commands": list(CLI_COMMANDS)})
        console.print_table(list(topics.items()))
        if not console.json_output:
            console.print_message("tui.cli.topics_more", commands=", ".join(CLI_COMMANDS))
        return 0
    if args.topic in CLI_COMMANDS:
        parser, _ = build_parser([args.topic], console.language)
        parser.parse_args([args.topic, "--help"])
    if args.topic not in topics:
        raise Problem(
            "tui.cli.no_topic", ExitCode.CONFIG, topic=args.topic, topics=", ".join(topics)
        )
    page = read_topic(args.topic, console.language)
    console.print_json({"topic": args.topic, "text": page})
    console.print_line(page.rstrip())
    return 0
