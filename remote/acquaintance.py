"""Servers met before, by their own id: says when a name leads to another machine than it did."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from engine.contract.catalogue import Text, text
from remote.identity import Known, Recognition, read_identity, recognise
from remote.rewrite import rewriting
from remote.session import Session

_WORDS = {
    "moved": "remote.link.identity_moved",
    "replaced": "remote.link.identity_replaced",
    "twin": "remote.link.identity_twin",
}


def meet(link: Session, name: str, work: str, store: Path) -> Recognition:
    """Read the id in the work folder, say what it means, and remember it. One round trip.

    store: our JSON file of ids; made at the first meeting, and begun anew when unreadable.
    """
    server_id = read_identity(link, work)
    place = link.spec.place
    with rewriting(store) as lines:
        known = _read("".join(lines))
        found = recognise(name, server_id, place, known)
        known = {**known, name: Known(server_id, place)}
        table = {one: [seen.server_id, seen.place] for one, seen in sorted(known.items())}
        lines[:] = [json.dumps(table, indent=1) + "\n"]
    return found


def sentence(found: Recognition, name: str) -> Text | None:
    """What a person should know of it; None for an old acquaintance, or a new one."""
    key = _WORDS.get(found.kind)
    return text(key, name=name, other=found.other) if key else None


def _read(source: str) -> Mapping[str, Known]:
    try:
        table = json.loads(source) if source else {}
        return {str(name): Known(str(seen[0]), str(seen[1])) for name, seen in table.items()}
    except (ValueError, AttributeError, LookupError, TypeError):
        return {}  # only memories: the servers tell them again
