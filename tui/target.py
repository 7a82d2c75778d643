"""Which server a verb means, and how its options name it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tui.console import Console

if TYPE_CHECKING:
    from remote.studio import Studio
    from tui.dialog import TerminalDialog


def add_server(parser: argparse.ArgumentParser) -> None:
    """The options every verb with a server takes."""
    parser.add_argument("server", nargs="?", metavar="SERVER")
    add_json(parser)
    parser.add_argument(
        "--accept-host-key", action="append", default=[], metavar="SHA256:...", dest="accept"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true")


def open_studio(
    args: argparse.Namespace, console: Console, dialog: TerminalDialog | None = None
) -> Studio:
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
    dialog = dialog or TerminalDialog(console)
    return Studio(name, server, config, places, dialog, accept=accept)
