"""`sovdeck voices [SERVER]`: the voices of a server, and which of them are on this computer."""

from __future__ import annotations

import argparse

from sovdeck.engine.contract.problem import ExitCode
from sovdeck.remote.voices.listing import list_voices
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.server_argument import add_server_argument, open_session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck voices`."""
    add_server_argument(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Print one line a voice: its name, and its folder here where it was downloaded."""
    with open_session(args, console) as session:
        names = list_voices(session.connection(), session.layout())
        rows = []
        for name in names:
            folder = session.outputs / name
            here = str(folder) if folder.is_dir() else ""
            console.print_json({"voice": name, "server": session.name, "folder": here or None})
            rows.append((name, here or "-"))
        console.print_table(rows)
        if not rows:
            console.print_message("tui.cli.no_voices", server=session.name)
    return int(ExitCode.OK)
