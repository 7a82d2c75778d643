"""`sovdeck forward SERVER tensorboard|PORT|LOCAL:REMOTE`: forward a port of the server."""

from __future__ import annotations

import argparse
import contextlib
import re
import time

from sovdeck.engine.contract.number_options import PORT_RANGE, whole
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.jobs import tensorboard
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.ssh.port_forward import PortForward
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.server_argument import add_server_argument, open_session

POLL_INTERVAL_S = 0.5
TENSORBOARD = "tensorboard"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck forward`."""
    add_server_argument(parser)
    parser.add_argument("target", metavar="tensorboard|PORT|LOCAL:REMOTE")
    parser.add_argument("--local", type=whole(*PORT_RANGE), default=0)


def run(args: argparse.Namespace, console: Console) -> int:
    """Forward until Ctrl-C."""
    with open_session(args, console) as session:
        with contextlib.suppress(KeyboardInterrupt):  # the normal end
            if args.target == TENSORBOARD:
                _forward_tensorboard(session, args.local, console)
            else:
                _forward_ports(session, *parse_ports(args.target), console)
        console.print_message("tui.forward.closed", server=session.name)
    return 0


def parse_ports(given: str) -> tuple[int, int]:
    """(local, remote) of "8000" or "9000:8000"; Problem for anything else."""
    parts = given.split(":")
    if len(parts) > 2 or not all(re.fullmatch(r"[0-9]{1,5}", part) for part in parts):
        raise Problem("tui.forward.bad_ports", ExitCode.CONFIG, given=given)
    local, remote = int(parts[0]), int(parts[-1])
    if not (0 < local < 65536 and 0 < remote < 65536):
        raise Problem("tui.forward.bad_ports", ExitCode.CONFIG, given=given)
    return local, remote


def _forward_ports(session: ServerSession, local: int, remote: int, console: Console) -> None:
    session.connection()  # host key and login are settled before the port opens
    # `session.connection` connects again when the SSH connection was lost.
    with PortForward(local, lambda: session.connection().open_tcp("127.0.0.1", remote)) as forward:
        _print_address(session, forward, remote, console)
        while True:
            _print_problem(forward, console)
            time.sleep(POLL_INTERVAL_S)


def _forward_tensorboard(session: ServerSession, local: int, console: Console) -> None:
    connection, deployed = session.connection(), session.require_deployment()
    console.print_message("tui.forward.starting", server=session.name)
    folder = f"{deployed.layout.work}/logs"
    with tensorboard.start_tensorboard(connection, deployed.python, folder) as tunnel:
        with connection.forward(local, "127.0.0.1", tunnel.port) as forward:
            _print_address(session, forward, tunnel.port, console)
            while not tunnel.wait_ended(POLL_INTERVAL_S):
                _print_problem(forward, console)
        raise Problem(
            "remote.connection.tensorboard_failed", ExitCode.DATA, server=session.name, why="-"
        )


def _print_address(
    session: ServerSession, forward: PortForward, remote: int, console: Console
) -> None:
    address = f"http://127.0.0.1:{forward.port}"
    facts = {"server": session.name, "local": forward.port, "remote": remote}
    console.print_message("tui.forward.open", address=address, **facts)


def _print_problem(forward: PortForward, console: Console) -> None:
    """Print why a forwarded connection failed, once."""
    problem, forward.problem = forward.problem, None
    if problem is not None:
        console.print_problem(problem)
