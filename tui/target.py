"""Which server a verb means, and how its options name it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from engine.contract.layout import check_name
from engine.contract.problem import ExitCode, Problem
from tui.console import Console

if TYPE_CHECKING:
    from remote.config.places import Places
    from remote.config.schema import Config
    from remote.studio import Studio
    from tui.dialog import TerminalDialog


def add_server(parser: argparse.ArgumentParser, *, many: bool = False) -> None:
    """The options every verb with a server takes; many: several may be named."""
    parser.add_argument("server", nargs="*" if many else "?", metavar="SERVER")
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

    config, places = _read(args)
    name, _ = book.pick(config, args.server)
    return _studios(args, console, config, places, [name], dialog)[0]


def open_studios(args: argparse.Namespace, console: Console) -> list[Studio]:
    """The server that `args` names, or every one of deploy.toml; not yet connected."""
    from remote.config import book

    config, places = _read(args)
    names = [book.pick(config, args.server)[0]] if args.server else list(config.servers)
    return _studios(args, console, config, places, names)


def _read(args: argparse.Namespace) -> tuple[Config, Places]:
    from remote.config.load import load
    from remote.config.places import Places

    places = Places.find()
    return load(args.config, places), places


def _studios(
    args: argparse.Namespace,
    console: Console,
    config: Config,
    places: Places,
    names: list[str],
    dialog: TerminalDialog | None = None,
) -> list[Studio]:
    from remote.studio import Studio
    from tui.dialog import TerminalDialog

    accept = frozenset(getattr(args, "accept", ()))
    dialog = dialog or TerminalDialog(console)
    return [
        Studio(name, config.servers[name], config, places, dialog, accept=accept) for name in names
    ]


def voice_of(args: argparse.Namespace, studio: Studio) -> str:
    """The voice that `args` names, or that of deploy.toml; Problem where there is none."""
    voice = args.voice or studio.config.train.voice
    if not voice:
        raise Problem("tui.cli.no_voice", ExitCode.CONFIG)
    return check_name(str(voice))
