"""Which machine is this? An id file on the server's own disk, not its address.

Rented addresses move between machines, and machines between addresses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from engine.contract.problem import ExitCode, Problem
from remote.agent import script
from remote.session import Session

_ID = re.compile(r"[0-9a-f]{32}\Z")
Kind = Literal["new", "same", "moved", "replaced", "twin"]


@dataclass(frozen=True)
class Known:
    """What we noted about a server: its id and the place it was last seen at."""

    server_id: str
    place: str


@dataclass(frozen=True)
class Recognition:
    """new: never seen. same: as noted. moved: our server at another address. replaced: another
    machine at our address. twin: the machine is saved under the name `other` as well."""

    kind: Kind
    other: str = ""


def read_identity(link: Session, folder: str) -> str:
    """The id in `folder` (the work folder on the data disk), made when missing."""
    result = link.script(script("link_identity.sh"), [folder])
    found = result.out.decode(errors="replace").strip().rpartition("\n")[2]
    if result.code or not _ID.match(found):
        why = result.err.decode(errors="replace").strip()[-120:] or f"exit {result.code}"
        raise Problem(
            "remote.link.no_identity", ExitCode.DATA, server=link.name, folder=folder, why=why
        )
    return found


def recognise(name: str, server_id: str, place: str, known: Mapping[str, Known]) -> Recognition:
    """What the id seen at `place` under `name` means. Pure."""
    mine = known.get(name)
    if mine is not None and mine.server_id == server_id:
        return Recognition("same" if mine.place == place else "moved")
    for other, one in known.items():
        if other != name and one.server_id == server_id:
            return Recognition("twin", other)
    return Recognition("new" if mine is None else "replaced")
