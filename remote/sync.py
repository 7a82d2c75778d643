"""A voice brought home with all that belongs to it: saves, samples and pack, where new."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from engine.contract.problem import ExitCode, Problem
from remote import job, local_names, voice_files
from remote.asking import ask
from remote.deployed import Deployed
from remote.homecoming import bring_home
from remote.ledger import Entry, Ledger
from remote.link import Link
from remote.pool import Connect
from remote.transfer import policy
from remote.transfer.agent_reading import Named
from remote.transfer.batches import Item
from remote.transfer.policy import SwitchOff, When, safe_to_switch_off, to_pull
from remote.transfer.progress import Meter, Report
from remote.transfer.pull_files import LARGE, pull_files
from remote.transfer.pull_folder import absent
from remote.transfer.tuning import Tuning
from remote.voice_files import VoiceFiles, save_of, version_of

# Hears of each file that came: its path on the server and its bytes.
Came = Callable[[str, int], None]
# For saves that come beside a training: two connections leave the line to its own figures.
AUTO = Tuning(most_connections=2)


@dataclass(frozen=True)
class Synced:
    """What one look brought. `files` came now, `kept` were here; `folder` holds the saves.

    `verdict` counts all that was named by the policy, the pack with it.
    """

    voice: str
    folder: Path
    files: tuple[str, ...]
    bytes: int
    kept: int
    seconds: float
    verdict: SwitchOff


@dataclass(frozen=True)
class Way:
    """How to move: `limit` in bytes a second (None: as fast as it goes), and who hears of it."""

    report: Report
    cancel: threading.Event
    came: Came = lambda path, size: None
    limit: float | None = None
    tuning: Tuning = Tuning()  # noqa: RUF009 - frozen


def sync(
    connect: Connect,
    link: Link,
    deployed: Deployed,
    voice: str,
    outputs: Path,
    way: Way,
    *,
    when: When = When.EACH_SAVE,
    scores: Mapping[str, float] | None = None,
) -> Synced:
    """Bring home what `when` names of `voice` and is not here; raises Problem.

    `scores`: see `policy.scores`; None reads them from the newest run when they matter. What
    came before an interruption is kept, and the next call fetches the rest.
    """
    began = monotonic()
    layout = deployed.layout
    found = voice_files.look(link, layout, voice)
    if scores is None:
        scores = _scores(link, deployed, found) if when is When.BEST else {}
    saves = [save_of(one, dict(scores)) for one in found.files]
    ledger = Ledger(outputs)
    wanted = to_pull(when, saves, {})
    todo = {one.path for one in to_pull(when, saves, ledger.here(link.name))}
    came: list[tuple[str, int]] = []

    def note(path: str, size: int) -> None:
        came.append((path, size))
        way.came(path, size)

    _files(connect, link, deployed, found, todo, outputs, ledger, way, note)
    if found.pack is not None and found.pack.path in todo:
        home = bring_home(
            connect, link, deployed, voice, outputs, report=way.report, cancel=way.cancel,
            bandwidth=way.limit,
        )  # fmt: skip
        note(found.pack.path, home.bytes)
    states = ask(link, connect, lambda there: job.runs(there, layout))
    running = any(not state.ended for state in states)
    verdict = safe_to_switch_off(wanted, ledger.here(link.name), running=running)
    folder = outputs / voice_files.SAVES / voice
    moved = sum(size for _, size in came)
    names = tuple(path for path, _ in came)
    return Synced(
        voice, folder, names, moved, len(wanted) - len(names), monotonic() - began, verdict
    )


def _scores(link: Link, deployed: Deployed, found: VoiceFiles) -> dict[str, float]:
    if not found.runs:
        return {}
    return policy.scores(voice_files.read_run(link, deployed.layout, found.runs[-1]))


def _files(
    connect: Connect, link: Link, deployed: Deployed, found: VoiceFiles, todo: set[str],
    outputs: Path, ledger: Ledger, way: Way, note: Came,
) -> None:  # fmt: skip
    """All that is due but the pack."""
    named = [one for one in found.files if one.path in todo and one is not found.pack]
    versions = {one.path: version_of(one.size, one.mtime) for one in named}
    work = str(deployed.layout.work)
    items = _items(named, found.voice, outputs)
    if not items:
        return
    noted: list[Entry] = []

    def verified(item: Item, sha256: str) -> None:
        version = versions[item.path]
        noted.append(ledger.entry(link.name, item.path, version, item.size, sha256, item.local))
        if item.size > LARGE:  # worth a note at once; small ones share the last
            ledger.note(*noted)

    def arrived(item: Item, sha256: str) -> None:
        verified(item, sha256)
        note(item.path, item.size)

    missing, same = absent(link, work, named, items)
    for item, sha256 in same:
        verified(item, sha256)
    try:
        with closing(connect()) as first:
            pull_files(
                connect, work, missing, outputs, first=first, meter=Meter(),
                report=way.report, cancel=way.cancel, came=arrived, bandwidth=way.limit,
                tuning=way.tuning,
            )  # fmt: skip
    finally:
        ledger.note(*noted)


def _items(named: Sequence[Named], voice: str, outputs: Path) -> list[Item]:
    taken = local_names.TakenPaths()
    items = []
    for one in named:
        local = voice_files.place(voice, one.path)
        if local is None or not taken.claim(local):
            raise Problem("remote.transfer.bad_remote_path", ExitCode.DATA, path=one.path[:120])
        items.append(Item(one.path, one.size, outputs / local))
    return items
