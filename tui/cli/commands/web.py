"""`sovdeck web`: the dashboard in a browser of this computer."""

from __future__ import annotations

import argparse
import sys

from sovdeck.engine.contract.number_options import PORT_RANGE, whole
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.parser import add_json_option

PORT = 8017


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck web`."""
    parser.add_argument("--port", type=whole(*PORT_RANGE), default=PORT)
    parser.add_argument("--host", default="127.0.0.1")
    add_json_option(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Serve the dashboard until Ctrl-C; Problem when the `web` extra is not installed."""
    try:
        # Here, since the `web` extra may not be installed.
        from sovdeck.tui.web.server import GuardedServer
    except ImportError as error:
        raise Problem("tui.web.not_installed", ExitCode.CONFIG) from error

    command = [sys.executable, "-m", "sovdeck.tui.web.page_process"]
    if args.lang:
        command += ["--lang", args.lang]
    if args.config is not None:
        command += ["--config", str(args.config)]
    server = GuardedServer(command, args.host, args.port, console.language)

    def on_open() -> None:
        console.print_message("tui.web.open", address=server.request_guard.url)
        console.print_json({"status": "open", "address": server.request_guard.url})

    server.run(on_open)
    return int(ExitCode.OK)
