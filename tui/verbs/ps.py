"""`sovdeck ps [SERVER]`: every run and how it stands, of one server or of all."""

from __future__ import annotations

import argparse
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

from engine.contract.catalogue import text
from engine.contract.problem import Problem
from tui.console import Console, duration
from tui.run_rows import as_json, known, look_once, state_words
from tui.target import add_server, open_studios
from tui.watching import watch

if TYPE_CHECKING:
    from remote.board import Board, Row


HEADS = (
    "tui.options.head_run", "tui.options.head_voice", "tui.options.head_state",
    "tui.options.head_stage", "tui.options.head_progress", "tui.options.head_eta",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_server(parser)
    parser.add_argument("--watch", action="store_true")
    parser.add_argument("--last", type=int, default=10, metavar="N")


def run(args: argparse.Namespace, console: Console) -> int:
    from remote.board import Board

    with ExitStack() as stack:
        boards = [
            Board(stack.enter_context(studio), args.last) for studio in open_studios(args, console)
        ]
        if args.watch:
            return watch(boards, console)
        looks = look_all(boards)
        problems = [look for look in looks if isinstance(look, Problem)]
        if len(boards) == len(problems) == 1:
            raise problems[0]
        show(boards, looks, console)
    return int(problems[0].exit_code) if len(problems) == len(boards) else 0


def look_all(boards: list[Board]) -> list[tuple[Row, ...] | Problem]:
    """Look at every server at the same time: one that is slow holds up no other."""
    looks: list[tuple[Row, ...] | Exception] = [()] * len(boards)

    def look(number: int) -> None:
        looks[number] = look_once(boards[number])

    # Daemon threads: Ctrl-C need not wait for a server that does not answer.
    threads = [
        threading.Thread(target=look, args=(number,), daemon=True) for number in range(len(boards))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [known(look) for look in looks]


def show(boards: list[Board], looks: list[tuple[Row, ...] | Problem], console: Console) -> None:
    """One table of all servers; those that could not be asked are named beside it."""
    several = len(boards) > 1
    head = tuple(text(key).get(console.language) for key in HEADS)
    server = text("tui.options.head_server").get(console.language)
    rows = [(server, *head) if several else head]
    for look in looks:
        for row in () if isinstance(look, Problem) else look:
            console.emit(as_json(row))
            cells = as_row(row, console)
            rows.append((row.server, *cells) if several else cells)
    if len(rows) > 1:
        console.table(rows)
    for board, look in zip(boards, looks, strict=True):
        if isinstance(look, Problem):
            console.problem(look, server=board.studio.name)
        elif not look:
            console.say("tui.cli.no_runs", server=board.studio.name)


def as_row(row: Row, console: Console) -> tuple[str, ...]:
    job, run = row.job, row.run
    stage = run.stage(run.current) if run.current else None
    progress = f"{stage.step}/{stage.total}" if stage else ""
    eta = duration(stage.eta_s) if stage and not job.ended else ""
    return (job.run, run.voice or "-", state_words(row, console), run.current or "-", progress, eta)
