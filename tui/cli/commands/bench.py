"""`sovdeck bench [SERVER]`: how fast a server speaks and trains; the row is kept here."""

from __future__ import annotations

import argparse
from pathlib import Path

from sovdeck.engine.contract.catalogue import text
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.preflight.bench import BenchRows, KeptRow, bench_server, shared_row
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.parser import LocalizedParser
from sovdeck.tui.cli.server_argument import add_server_argument, open_session


def add_arguments(parser: LocalizedParser) -> None:
    """Add the options of `sovdeck bench`."""
    add_server_argument(parser)
    parser.add_argument("--kept", action="store_true")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--to", type=Path, metavar="FILE")


def run(args: argparse.Namespace, console: Console) -> int:
    """Measure and print the figures; with `--kept` print those that were measured before."""
    rows = BenchRows(AppPaths.locate())
    if args.kept:
        found = [kept for kept in rows.read() if args.server in (None, kept.server)]
        if not found:
            console.print_message("tui.cli.bench_none")
    else:
        with open_session(args, console) as session:
            console.show_status(text("tui.cli.bench", server=session.name).get(console.language))
            found = [bench_server(session, rows, tiny=args.tiny)]
    for kept in found:
        print_row(kept, console)
    if args.to is not None and found:
        shared_row(found[-1], args.to)
    return 0


def print_row(kept: KeptRow, console: Console) -> None:
    """One row as a table, and whether it is as it was measured."""
    console.print_json({**kept.as_json(), "signed": kept.signed})
    facts = {name: kept.row.machine.get(name, "?") for name in ("torch", "cores")}
    head = text("engine.bench.head", device=kept.row.device, sizes=kept.row.sizes, **facts)
    console.print_line(f"{kept.server}: {head.get(console.language)}")
    console.print_table(kept.row.format_rows(console.language))
    if not kept.signed:
        console.print_message("tui.cli.bench_changed")
