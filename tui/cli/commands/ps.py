"""`sovdeck ps [SERVER]`: the runs of one server or of all, and their state."""

from __future__ import annotations

import argparse
import threading
from contextlib import ExitStack

from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.format import format_short_duration
from sovdeck.engine.contract.number_options import whole
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.servers.run_list import RunList, RunRow
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.run_table import (
    fetch_runs,
    raise_unexpected,
    row_json,
    run_failure,
    state_text,
)
from sovdeck.tui.cli.server_argument import add_server_argument, open_sessions
from sovdeck.tui.cli.watch_runs import watch_runs

HEADING_KEYS = (
    "tui.options.head_run",
    "tui.options.head_voice",
    "tui.options.head_state",
    "tui.options.head_stage",
    "tui.options.head_progress",
    "tui.options.head_eta",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck ps`."""
    add_server_argument(parser)
    parser.add_argument("--watch", action="store_true")
    parser.add_argument("--last", type=whole(1, 10_000), default=10, metavar="N")


def run(args: argparse.Namespace, console: Console) -> int:
    """Print the runs, or with `--watch` each change of them."""
    with ExitStack() as stack:
        run_lists = [
            RunList(stack.enter_context(session), args.last)
            for session in open_sessions(args, console)
        ]
        if args.watch:
            return watch_runs(run_lists, console)
        results = fetch_all(run_lists)
        problems = [result for result in results if isinstance(result, Problem)]
        if len(run_lists) == len(problems) == 1:
            raise problems[0]
        print_runs(run_lists, results, console)
    return int(problems[0].exit_code) if len(problems) == len(run_lists) else 0


def fetch_all(run_lists: list[RunList]) -> list[tuple[RunRow, ...] | Problem]:
    """Fetch the runs of every server in parallel: a slow one delays no other."""
    results: list[tuple[RunRow, ...] | Exception] = [()] * len(run_lists)

    def fetch(index: int) -> None:
        results[index] = fetch_runs(run_lists[index])

    # Daemon threads: Ctrl-C need not wait for a server that does not answer.
    threads = [
        threading.Thread(target=fetch, args=(index,), daemon=True)
        for index in range(len(run_lists))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [raise_unexpected(look) for look in results]


def print_runs(
    run_lists: list[RunList], results: list[tuple[RunRow, ...] | Problem], console: Console
) -> None:
    """Print one table for all servers, then the problem of each unreachable one."""
    several = len(run_lists) > 1
    headings = tuple(text(key).get(console.language) for key in HEADING_KEYS)
    server = text("tui.options.head_server").get(console.language)
    rows = [(server, *headings) if several else headings]
    for result in results:
        for row in () if isinstance(result, Problem) else result:
            console.print_json(row_json(row))
            cells = table_row(row, console)
            rows.append((row.server, *cells) if several else cells)
    if len(rows) > 1:
        console.print_table(rows)
    for result in results:
        for row in () if isinstance(result, Problem) else result:
            failure = run_failure(row)
            if failure is not None:
                console.print_line(f"{row.job.run_id}: {failure.get(console.language)}")
    for run_list, result in zip(run_lists, results, strict=True):
        if isinstance(result, Problem):
            console.print_problem(result, server=run_list.session.name)
            continue
        if not result:
            console.print_message("tui.cli.no_runs", server=run_list.session.name)
        if run_list.running_on is not None:
            console.print_line(run_list.running_on.get(console.language))


def table_row(row: RunRow, console: Console) -> tuple[str, ...]:
    """The table row of one run."""
    job, run = row.job, row.run
    stage = run.stage(run.current) if run.current else None
    progress = f"{stage.step}/{stage.total}" if stage else ""
    eta = format_short_duration(stage.eta_s) if stage and not job.ended else ""
    return (
        job.run_id,
        run.voice or "-",
        state_text(row, console),
        run.current or "-",
        progress,
        eta,
    )
