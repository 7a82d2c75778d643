"""`sovdeck forward SERVER tensorboard|PORT|LOCAL:REMOTE`: a port of the server's loopback, here."""

from __future__ import annotations

import argparse
import contextlib
import re
import time
from typing import TYPE_CHECKING

from engine.contract.problem import ExitCode, Problem
from tui.console import Console
from tui.target import add_server, open_studio

if TYPE_CHECKING:
    from remote.forward import Forward
    from remote.studio import Studio

LOOK_EVERY_S = 0.5
BOARD = "tensorboard"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_server(parser)
    parser.add_argument("what", metavar="tensorboard|PORT|LOCAL:REMOTE")
    parser.add_argument("--local", type=int, default=0)


def run(args: argparse.Namespace, console: Console) -> int:
    with open_studio(args, console) as studio:
        with contextlib.suppress(KeyboardInterrupt):  # how one ends it
            if args.what == BOARD:
                _board(studio, args.local, console)
            else:
                _ports(studio, *ports(args.what), console)
        console.say("tui.forward.closed", server=studio.name)
    return 0


def ports(given: str) -> tuple[int, int]:
    """(local, remote) of "8000" or "9000:8000"."""
    words = given.split(":")
    if len(words) > 2 or not all(re.fullmatch(r"[0-9]{1,5}", word) for word in words):
        raise Problem("tui.forward.bad_ports", ExitCode.CONFIG, given=given)
    local, far = int(words[0]), int(words[-1])
    if not (0 < local < 65536 and 0 < far < 65536):
        raise Problem("tui.forward.bad_ports", ExitCode.CONFIG, given=given)
    return local, far


def _ports(studio: Studio, local: int, remote: int, console: Console) -> None:
    from remote.forward import Forward

    studio.link()  # host key and log-in are settled before anything listens
    # A link that died is made anew with the next connection.
    with Forward(local, lambda: studio.link().open_tcp("127.0.0.1", remote)) as forward:
        _announce(studio, forward, remote, console)
        while True:
            _tell_fault(forward, console)
            time.sleep(LOOK_EVERY_S)


def _board(studio: Studio, local: int, console: Console) -> None:
    from remote import tensorboard

    link, deployed = studio.link(), studio.deployed()
    console.say("tui.forward.starting", server=studio.name)
    folder = f"{deployed.layout.work}/logs"
    with tensorboard.start(link, deployed.python, folder) as board:
        with link.forward(local, "127.0.0.1", board.port) as forward:
            _announce(studio, forward, board.port, console)
            while not board.wait(LOOK_EVERY_S):
                _tell_fault(forward, console)
        raise Problem("remote.link.tensorboard_failed", ExitCode.DATA, server=studio.name, why="-")


def _announce(studio: Studio, forward: Forward, remote: int, console: Console) -> None:
    address = f"http://127.0.0.1:{forward.port}"
    facts = {"server": studio.name, "local": forward.port, "remote": remote}
    console.say("tui.forward.open", address=address, **facts)


def _tell_fault(forward: Forward, console: Console) -> None:
    """Say why a connection could not be carried, once."""
    problem, forward.problem = forward.problem, None
    if problem is not None:
        console.problem(problem)
