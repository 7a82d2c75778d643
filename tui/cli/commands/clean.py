"""`sovdeck clean [SERVER | --here]`: what lies on a disk, and removing what a person chose."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.format import format_bytes
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.autostop.keep import apply_keep, fetch_keep_status
from sovdeck.remote.config.load import load_config
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.disk.items import KINDS, DiskItem, Mark, choose
from sovdeck.remote.disk.local_disk import list_local_disk, remove_here
from sovdeck.remote.disk.offers import make_offers
from sovdeck.remote.disk.server_disk import list_server_disk, remove_from_server
from sovdeck.remote.servers.server import ServerSession
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.prompts import TerminalDialog
from sovdeck.tui.cli.server_argument import add_server_argument, open_session
from sovdeck.tui.text.disk_words import disk_age_text, disk_mark_text

_HEADINGS = ("head_kind", "head_path", "head_size", "head_age", "head_mark")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck clean`."""
    add_server_argument(parser)
    parser.add_argument("--here", action="store_true")
    parser.add_argument("--remove", nargs="+", default=[], metavar="WHAT")
    parser.add_argument("--only-copy", nargs="+", default=[], metavar="PATH")
    parser.add_argument("--yes", action="store_true")


def run(args: argparse.Namespace, console: Console) -> int:
    """List what may be removed; with a choice show it, ask, and remove it."""
    if args.here and args.server:
        raise Problem("remote.disk.here_or_there", ExitCode.CONFIG, server=args.server)
    if args.here:
        app_paths = AppPaths.locate()
        outputs = Path(load_config(args.config, app_paths).paths.outputs).expanduser().absolute()
        items = list_local_disk(outputs, app_paths)
        chosen = _choose(args, console, items, int(time.time()))
        return _report(console, chosen, remove_here(chosen)) if chosen else 0
    with open_session(args, console) as session:
        disk = list_server_disk(session)
        chosen = _choose(args, console, disk.items, disk.now)
        if chosen:
            return _report(console, chosen, remove_from_server(session, disk, chosen))
        if not args.remove and not args.only_copy:
            _tell_keep(session, console, disk.now)
        return 0


def offer_cleaning(session: ServerSession, voice: str, console: Console) -> bool:
    """Say what could go for a run of `voice`, and offer what costs nothing; whether it went."""
    disk = list_server_disk(session)
    for offer in make_offers(disk.items, voice):
        console.print_line(offer.sentence(session.name).get(console.language))
        if offer.mark == "safe" and TerminalDialog(console).can_ask:
            print_items(console, offer.items, disk.now)
            if TerminalDialog(console).confirm("tui.clean.sure", count=len(offer.items)):
                gone = remove_from_server(session, disk, offer.items)
                return _report(console, offer.items, gone) == 0
    return False


def _tell_keep(session: ServerSession, console: Console, now: int) -> None:
    """Let the server go by [keep], and say what it removes and removed by itself."""
    connection, deployed = session.connection(), session.require_deployment()
    apply_keep(connection, deployed, session.config.keep)
    status = fetch_keep_status(connection, deployed.layout)
    if status.resume_states is not None:
        wait = disk_age_text(status.resume_states).get(console.language)
        console.print_message("tui.clean.keep", server=session.name, wait=wait)
    for one in status.removed:
        age, size = disk_age_text(now - one.at).get(console.language), format_bytes(one.bytes)
        console.print_message("tui.clean.keep_removed", voice=one.voice, size=size, age=age)


def _choose(
    args: argparse.Namespace, console: Console, items: Sequence[DiskItem], now: int
) -> tuple[DiskItem, ...]:
    """Print what is there, or what was chosen of it; returns what a person agreed to remove."""
    if not args.remove and not args.only_copy:
        print_items(console, items, now)
        if not items:
            console.print_message("tui.clean.empty")
            return ()

        def marked(mark: Mark) -> str:
            return format_bytes(sum(one.bytes for one in items if one.mark == mark))

        total = format_bytes(sum(one.bytes for one in items))
        safe, resume = marked("safe"), marked("resume")
        console.print_message("tui.clean.sum", size=total, safe=safe, resume=resume)
        console.print_message("tui.clean.how")
        return ()
    chosen, unknown = choose(items, args.remove, args.only_copy)
    if unknown:
        raise Problem("remote.disk.not_there", ExitCode.CONFIG, words=", ".join(unknown))
    if not chosen:
        console.print_message("tui.clean.nothing_chosen")
        return ()
    size = format_bytes(sum(item.bytes for item in chosen))
    console.print_message("tui.clean.will_remove", size=size)
    print_items(console, chosen, now)
    dialog = TerminalDialog(console)
    if not args.yes and not dialog.can_ask:
        raise Problem("remote.disk.nobody_to_ask", ExitCode.CONFIG)
    if args.yes or dialog.confirm("tui.clean.sure", count=len(chosen)):
        return chosen
    console.print_message("tui.clean.kept")
    return ()


def print_items(console: Console, items: Sequence[DiskItem], now: int) -> None:
    """Print one line an item, by kind, the largest first."""

    def word(key: str) -> str:
        return text(f"tui.clean.{key}").get(console.language)

    rows = [tuple(word(key) for key in _HEADINGS)]
    for item in sorted(items, key=lambda one: (KINDS.index(one.kind), -one.bytes, one.path)):
        # What is typed is the English word; another language says beside it what it is.
        label = word(f"kind_{item.kind}")
        rows.append(
            (
                item.kind if label == item.kind else f"{item.kind} {label}",
                item.path,
                format_bytes(item.bytes),
                disk_age_text(now - item.changed).get(console.language),
                disk_mark_text(item.mark, item.used_by).get(console.language),
            )
        )
        console.print_json(
            {
                "kind": item.kind,
                "path": item.path,
                "bytes": item.bytes,
                "changed": item.changed,
                "mark": item.mark,
                "used_by": item.used_by,
            }
        )
    if items:
        console.print_table(rows)


def _report(console: Console, chosen: Sequence[DiskItem], gone: Sequence[DiskItem]) -> int:
    """Say what was removed; Problem for what the disk refused."""
    size = sum(item.bytes for item in gone)
    console.print_message("tui.clean.removed", count=len(gone), size=format_bytes(size))
    console.print_json({"status": "ok", "removed": [item.path for item in gone], "bytes": size})
    left = [item.path for item in chosen if item not in gone]
    if left:
        raise Problem("remote.disk.not_removed", ExitCode.DATA, count=len(left), path=left[0])
    return 0
