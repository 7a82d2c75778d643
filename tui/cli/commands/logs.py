"""`sovdeck logs [SERVER] [--run RUN] [-f]`: a run's log, without terminal escapes."""

from __future__ import annotations

import argparse
import threading
from contextlib import suppress

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.jobs.client import RunHandle
from sovdeck.remote.jobs.run_ids import voice_of_run
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.ssh.remote_tail import clean_line
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.follow_run import follow_run
from sovdeck.tui.cli.run_end import announce_run_end
from sovdeck.tui.cli.server_argument import add_server_argument, open_session
from sovdeck.tui.state.models import RunEnd

LOG_JOIN_S = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck logs`."""
    add_server_argument(parser)
    parser.add_argument("--run")
    parser.add_argument("-f", "--follow", action="store_true")


def run(args: argparse.Namespace, console: Console) -> int:
    """Print the log, or follow it until the run has ended."""
    with open_session(args, console) as session:
        handle = session.find_run(args.run)
        if args.follow:
            already_ended = job_client.fetch_state(session.connection(), handle).ended
            _follow(session, handle, console)
            if not already_ended:
                _notify_run_ended(session, handle, console)
            return 0
        result = session.connection().run(["cat", "--", str(handle.folder.log)], timeout=120.0)
        for data in result.out.split(b"\n")[:-1]:
            _print_log_line(console, clean_line(data))
    return 0


def _follow(session: ServerSession, handle: RunHandle, console: Console) -> None:
    """Print the log and a line for each stage and epoch, as they come, until the run has ended."""
    tail = job_client.follow_log(session.connection, handle)

    def print_log() -> None:
        with suppress(Problem):  # the events' own stream raises the same one
            for batch in tail.batches():
                for line in batch:
                    _print_log_line(console, clean_line(line.data))

    reader = threading.Thread(target=print_log, name="log", daemon=True)
    reader.start()
    follow_run(session, handle, console)
    reader.join(LOG_JOIN_S)  # the log ends with the run
    tail.close()


def _notify_run_ended(session: ServerSession, handle: RunHandle, console: Console) -> None:
    """Send the notifications for the end of the run."""
    state = job_client.fetch_state(session.connection(), handle)
    end = RunEnd(session.name, handle.run_id, voice_of_run(handle.run_id), state.state, state.code)
    announce_run_end(session.config.notify, end, console)


def _print_log_line(console: Console, line: str) -> None:
    console.print_json({"line": line})
    console.print_line(line)
