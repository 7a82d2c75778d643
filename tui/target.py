"""Which server a verb means, and how its options name it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.contract.catalogue import Language, text
from engine.contract.layout import check_name
from engine.contract.problem import ExitCode, Problem
from tui.console import Console

if TYPE_CHECKING:
    from remote.studio import Studio


def add_server(parser: argparse.ArgumentParser) -> None:
    """The options every verb with a server takes."""
    parser.add_argument("server", nargs="?", metavar="SERVER")
    add_json(parser)
    parser.add_argument(
        "--accept-host-key", action="append", default=[], metavar="SHA256:...", dest="accept"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true")


def open_studio(args: argparse.Namespace, console: Console) -> Studio:
    """The server that `args` names, or the default one of deploy.toml; not yet connected."""
    from remote.config import book
    from remote.config.load import load
    from remote.config.places import Places
    from remote.studio import Studio
    from tui.dialog import TerminalDialog

    places = Places.find()
    config = load(args.config, places)
    name, server = book.pick(config, args.server)
    accept = frozenset(getattr(args, "accept", ()))
    return Studio(name, server, config, places, TerminalDialog(console), accept=accept)


def help_in(parser: argparse.ArgumentParser) -> Callable[[str], str]:
    """Turns a catalogue key into an option's help, in the language of the command line."""
    language: Language = parser.get_default("language") or "en"
    return lambda key: text(key).get(language).replace("%", "%%")


def voice_of(args: argparse.Namespace, studio: Studio) -> str:
    """The voice that `args` names, or that of deploy.toml; Problem where there is none."""
    voice = args.voice or studio.config.train.voice
    if not voice:
        raise Problem("tui.cli.no_voice", ExitCode.CONFIG)
    return check_name(str(voice))
