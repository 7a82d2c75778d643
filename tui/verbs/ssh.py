"""`sovdeck ssh SERVER [COMMAND...]`: the system's own ssh, with our keys and pinned host keys."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys

from tui.console import Console
from tui.options import Parser
from tui.target import add_server, open_studio


def add_arguments(parser: Parser) -> None:
    add_server(parser)
    parser.take_rest("command")
    parser.add_argument("--print", action="store_true")


def run(args: argparse.Namespace, console: Console) -> int:
    from remote import openssh

    with open_studio(args, console) as studio:
        studio.spec()  # says so when the server has no address
        openssh.write(studio.config, studio.places)
        argv = openssh.command(studio.name, studio.places, args.command)
    if args.print or args.json:
        console.write(shlex.join(argv))
        console.emit({"status": "ok", "server": studio.name, "argv": argv})
        return 0
    program = openssh.find_ssh()
    sys.stdout.flush()
    if os.name == "posix":
        os.execv(program, argv)  # noqa: S606 - an argv of our own; ssh takes this process's place
    return subprocess.run([program, *argv[1:]]).returncode  # noqa: S603
