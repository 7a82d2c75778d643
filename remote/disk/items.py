"""What may be removed from a disk, and what its removal would cost. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Literal

Kind = Literal[
    "states",
    "features",
    "packs",
    "weights",
    "samples",
    "runs",
    "takes",
    "code",
    "environment",
    "caches",
    "halves",
    "saves",
]
KINDS: tuple[Kind, ...] = Kind.__args__  # type: ignore[attr-defined]

# safe: verified on this computer, or made again from what stays. resume: a training, or a transfer,
# begins anew without it. only_copy: it is nowhere else.
Mark = Literal["safe", "resume", "only_copy"]
MARKS: tuple[Mark, ...] = ("safe", "resume", "only_copy")


@dataclass(frozen=True)
class DiskItem:
    """One thing that can be removed as a whole.

    path: below the work folder of a server, or absolute on this computer; it is its name too.
    changed: Unix seconds. used_by: the run at work that may need it; such an item is not removed.
    """

    kind: Kind
    path: str
    bytes: int
    changed: int
    mark: Mark = "only_copy"
    used_by: str = ""


@dataclass(frozen=True)
class ServerKnowledge:
    """What decides the marks of a server's items.

    verified: version by path of the files whose verified copy is on this computer. versions:
    version by path of the weights, packs and samples there now. working: the voice of each run
    that is at work. watches: the runs that go on for as long as the server does, and use its code.
    code, python: what the present deployment uses; both below the work folder or absolute.
    """

    verified: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    datasets: frozenset[str] = frozenset()
    working: Mapping[str, str] = field(default_factory=dict)
    watches: tuple[str, ...] = ()
    code: str = ""
    python: str = ""


def mark_items(items: Iterable[DiskItem], known: ServerKnowledge) -> tuple[DiskItem, ...]:
    """The items that may be removed, each with its mark and the run that works with it."""
    found = []
    for item in items:
        name = PurePosixPath(item.path).name
        if item.kind == "code" and name == known.code:
            continue
        if item.kind == "environment" and known.python.startswith(f"{item.path}/"):
            continue
        marked = replace(item, mark=_mark(item, known), used_by=_user(item, known))
        if item.kind == "runs" and name in known.working:
            continue
        found.append(marked)
    return tuple(found)


def _mark(item: DiskItem, known: ServerKnowledge) -> Mark:
    if item.kind in ("code", "environment", "caches"):
        return "safe"
    if item.kind in ("states", "halves"):
        return "resume"
    voice = voice_of_item(item)
    if item.kind == "features":
        return "safe" if voice in known.datasets else "only_copy"
    if item.kind in ("packs", "weights", "samples"):
        below = [
            path for path in known.versions if path == item.path or path.startswith(f"{item.path}/")
        ]
        home = all(known.verified.get(path) == known.versions[path] for path in below)
        if below and home:
            return "safe"
        folders = (path.split("/") for path in known.versions)
        weights = {parts[1] for parts in folders if "_weights" in parts[0] and len(parts) > 2}
        if item.kind == "packs" and voice in weights:
            return "safe"  # packed again from the weights
    return "only_copy"


def voice_of_item(item: DiskItem) -> str:
    """The voice an item belongs to; "" for one that all share, and for a run's."""
    if item.kind in ("runs", "samples", "code", "environment", "caches", "halves"):
        return ""
    return _second_part(item).removesuffix(".zip")


def _second_part(item: DiskItem) -> str:
    """The name below the folder of its kind; "" for a path that has none."""
    parts = PurePosixPath(item.path).parts
    return parts[1] if len(parts) > 1 else ""


def _user(item: DiskItem, known: ServerKnowledge) -> str:
    """The run at work that may need the item: of its voice, and any for what all share."""
    voice = voice_of_item(item)
    run = _second_part(item) if item.kind in ("runs", "samples") else ""
    for working, its_voice in sorted(known.working.items()):
        if run == working or voice == its_voice or (not voice and not run):
            return working
    return known.watches[0] if known.watches and item.kind in ("code", "environment") else ""


def choose(
    items: Sequence[DiskItem], wanted: Iterable[str], named: Iterable[str]
) -> tuple[tuple[DiskItem, ...], tuple[str, ...]]:
    """What to remove: `wanted` are kinds or paths, `named` the paths of only copies, typed whole.

    Returns the items, and the words that fit none. An only copy is chosen by its name alone, an
    item that a run works with never.
    """
    kinds, names, unknown = set(), set(named), []
    paths = {item.path for item in items}
    for word in wanted:
        if word in KINDS or word in paths:
            kinds.add(word)
        else:
            unknown.append(word)
    unknown += [name for name in names if name not in paths]
    chosen = tuple(
        item
        for item in items
        if not item.used_by
        and (
            item.path in names
            or (item.mark != "only_copy" and (item.kind in kinds or item.path in kinds))
        )
    )
    return chosen, tuple(unknown)
