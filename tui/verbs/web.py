"""`sovdeck web`: the dashboard in a browser of this computer."""

from __future__ import annotations

import argparse
import sys

from engine.contract.problem import ExitCode, Problem
from tui.console import Console

PORT = 8017


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace, console: Console) -> int:
    try:
        from tui.web.server import GuardedServer
    except ImportError as error:
        raise Problem("tui.web.not_installed", ExitCode.CONFIG) from error

    command = [sys.executable, "-m", "tui.web.seat", "--lang", console.language]
    if args.config is not None:
        command += ["--config", str(args.config)]
    server = GuardedServer(command, args.host, args.port, console.language)

    def opened() -> None:
        console.say("tui.web.open", address=server.door.address)
        console.emit({"status": "open", "address": server.door.address})

    server.run(opened)
    return int(ExitCode.OK)
