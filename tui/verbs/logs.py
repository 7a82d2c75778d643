"""`sovdeck logs [SERVER] [--run RUN] [-f]`: a run's log, without what could own a terminal."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tui.console import Console
from tui.target import add_server, open_studio

if TYPE_CHECKING:
    from remote.job import RunHandle
    from remote.studio import Studio


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_server(parser)
    parser.add_argument("--run")
    parser.add_argument("-f", "--follow", action="store_true")


def run(args: argparse.Namespace, console: Console) -> int:
    from remote import job
    from remote.tail import clean_line

    with open_studio(args, console) as studio:
        handle = studio.run(args.run)
        if args.follow:
            past = job.state(studio.link(), handle).ended
            tail = job.log(studio.link, handle)
            for batch in tail.batches():
                for line in batch:
                    _print(console, clean_line(line.data))
            if not past:
                _announce(studio, handle, console)
            return 0
        result = studio.link().run(["cat", "--", str(handle.folder.log)], timeout=120.0)
        for data in result.out.split(b"\n")[:-1]:
            _print(console, clean_line(data))
    return 0


def _announce(studio: Studio, handle: RunHandle, console: Console) -> None:
    """Tell who wants to know how the run ended."""
    from remote import job
    from tui.herald import announce
    from tui.services.telling import voice_of
    from tui.state.work import RunEnd

    state = job.state(studio.link(), handle)
    end = RunEnd(studio.name, handle.run, voice_of(handle.run), state.state, state.code)
    announce(studio.config.notify, end, console)


def _print(console: Console, line: str) -> None:
    console.emit({"line": line})
    console.write(line)
