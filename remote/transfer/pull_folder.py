"""A folder of the server brought home; files that are here already are not fetched again."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from engine.contract.problem import ExitCode, Problem
from remote import local_names
from remote.transfer import agent_reading
from remote.transfer.agent_reading import Named
from remote.transfer.batches import Item
from remote.transfer.channel import Connect, Link, Stream
from remote.transfer.part_file import disk_errors
from remote.transfer.patience import patiently
from remote.transfer.prefix_hash import file_digest
from remote.transfer.progress import Meter, Report
from remote.transfer.pull_files import INCOMING, pull_files
from remote.transfer.tuning import Tuning


@dataclass(frozen=True)
class PulledFolder:
    """What came. `kept_files` were here already; `bytes` went over the line; `seconds` in all."""

    folder: Path
    files: int
    bytes: int
    kept_files: int
    seconds: float
    retries: int


def pull_folder(
    connect: Connect,
    remote_folder: str,
    dest: Path,
    *,
    report: Report,
    cancel: threading.Event,
    bandwidth: float | None = None,
    tuning: Tuning | None = None,
) -> PulledFolder:
    """Make `dest` hold every file of `remote_folder`; removes nothing here. Raises Problem.

    A call after an interruption fetches only what is not here yet.
    """
    tuning = tuning or Tuning()
    began = monotonic()
    meter = Meter()
    links: list[Link] = []

    def look() -> tuple[list[Item], list[Item], Stream]:
        links.append(connect())
        found, stream = agent_reading.offered(links[-1], remote_folder)
        items = placed(found, dest)
        return items, absent(links[-1], remote_folder, found, items)[0], stream

    try:
        meter.phase = "compare"
        items, missing, stream = patiently(look, tuning, cancel, meter, limit=tuning.first_contact)
        pull_files(
            connect, remote_folder, missing, dest, first=links[-1], stream=stream,
            meter=meter, report=report, cancel=cancel, came=lambda item, sha256: None,
            bandwidth=bandwidth, tuning=tuning,
        )  # fmt: skip
    finally:
        for link in links:
            link.close()
    meter.phase = "done"
    report(meter.progress())
    kept = len(items) - len(missing)
    seconds = monotonic() - began
    return PulledFolder(dest, len(missing), meter.total, kept, seconds, meter.retries)


def placed(found: Sequence[Named], dest: Path) -> list[Item]:
    """Where each file goes; Problem for a name that leads elsewhere or meets another."""
    taken = local_names.TakenPaths()
    items = []
    for named in found:
        path = local_names.safe_path(named.path)
        if path is None or path.parts[0] == INCOMING or not taken.claim(path):
            shown = "".join(c if c.isprintable() else "?" for c in named.path)[:120]
            raise Problem("remote.transfer.bad_remote_path", ExitCode.DATA, path=shown)
        items.append(Item(named.path, named.size, dest / path))
    return items


def absent(
    link: Link, folder: str, found: Sequence[Named], items: Sequence[Item]
) -> tuple[list[Item], list[tuple[Item, str]]]:
    """Items that are not here, and those that are with their SHA-256.

    The server hashes only what has a namesake of its size here.
    """
    likely = {item.path: item for item in items if _same_size(item)}
    named = [one for one in found if one.path in likely]
    theirs = agent_reading.sums(link, folder, named) if named else {}
    same: dict[str, tuple[Item, str]] = {}
    for path, item in likely.items():
        with disk_errors(item.local):
            if path in theirs and file_digest(item.local) == theirs[path]:
                same[path] = (item, theirs[path])
    return [item for item in items if item.path not in same], list(same.values())


def _same_size(item: Item) -> bool:
    with disk_errors(item.local):
        return item.local.is_file() and item.local.stat().st_size == item.size
