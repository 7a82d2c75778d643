"""`sovdeck ssh SERVER [COMMAND...]`: the system's ssh with our keys and pinned host keys."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys

from sovdeck.remote.servers import openssh_export
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.parser import LocalizedParser
from sovdeck.tui.cli.server_argument import add_server_argument, open_session


def add_arguments(parser: LocalizedParser) -> None:
    """Add the options of `sovdeck ssh`."""
    add_server_argument(parser)
    parser.accept_remainder("command")
    parser.add_argument("--print", action="store_true")


def run(args: argparse.Namespace, console: Console) -> int:
    """Replace this process by ssh, or print its command line."""
    with open_session(args, console) as session:
        session.spec()  # Problem when the server has no address
        openssh_export.write_servers_config(session.config, session.app_paths)
        argv = openssh_export.ssh_command(session.name, session.app_paths, args.command)
    if args.print or args.json:
        console.print_line(shlex.join(argv))
        console.print_json({"status": "ok", "server": session.name, "argv": argv})
        return 0
    program = openssh_export.find_ssh()
    sys.stdout.flush()
    if os.name == "posix":
        os.execv(program, argv)  # noqa: S606 - an argv of our own; ssh takes this process's place
    return subprocess.run([program, *argv[1:]]).returncode  # noqa: S603
