"""Tells which machine a server is, by an id file on its own disk, and warns when that changes.

Rented addresses move between machines, and machines between addresses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sovdeck.engine.contract.catalogue import Text, text
from sovdeck.engine.contract.foreign_values import parse_json
from sovdeck.engine.contract.layout import Layout
from sovdeck.remote.locked_file import edit_lines
from sovdeck.remote.ssh.base_connection import BaseConnection

_ID = re.compile(r"[0-9A-Fa-f-]{32,36}\Z")
MatchKind = Literal["new", "same", "moved", "replaced", "twin"]
_MESSAGE_KEYS = {
    "moved": "remote.connection.identity_moved",
    "replaced": "remote.connection.identity_replaced",
    "twin": "remote.connection.identity_twin",
}


@dataclass(frozen=True)
class MachineRecord:
    """What is stored of a server: its machine id and the address it was last seen at."""

    server_id: str
    address: str


@dataclass(frozen=True)
class MachineMatch:
    """How a machine compares with the stored records.

    new: never seen. same: as stored. moved: our server at another address. replaced: another
    machine at our address. twin: the machine is saved under the name `other` as well.
    """

    kind: MatchKind
    other: str = ""


def read_machine_id(connection: BaseConnection, layout: Layout) -> str | None:
    """The id in the work folder on the data disk, which the deployment made; None without one."""
    result = connection.run(["cat", str(layout.server_id)])
    machine_id = result.out.decode(errors="replace").strip()
    return machine_id if result.code == 0 and _ID.match(machine_id) else None


def match_machine(
    name: str, server_id: str, address: str, records: Mapping[str, MachineRecord]
) -> MachineMatch:
    """Compare the id seen at `address` under `name` with the records. Pure."""
    record = records.get(name)
    if record is not None and record.server_id == server_id:
        return MachineMatch("same" if record.address == address else "moved")
    for other, other_record in records.items():
        if other != name and other_record.server_id == server_id:
            return MachineMatch("twin", other)
    return MachineMatch("new" if record is None else "replaced")


def check_machine_id(
    connection: BaseConnection, name: str, layout: Layout, store: Path
) -> MachineMatch:
    """Read the id in the work folder, compare it with the stored ones, and store it.

    One round trip. A machine without an id is a new one, and not stored. store: our JSON file of
    ids; an unreadable one is begun anew.
    """
    server_id = read_machine_id(connection, layout)
    if server_id is None:
        return MachineMatch("new")
    address = connection.spec.known_hosts_name
    with edit_lines(store) as stored:
        records = _parse_records("".join(stored))
        match = match_machine(name, server_id, address, records)
        records = {**records, name: MachineRecord(server_id, address)}
        table = {one: [seen.server_id, seen.address] for one, seen in sorted(records.items())}
        stored[:] = [json.dumps(table, indent=1) + "\n"]
    return match


def machine_id_warning(match: MachineMatch, name: str) -> Text | None:
    """What a person should be told of the match; None for a new machine and for the same one."""
    key = _MESSAGE_KEYS.get(match.kind)
    return text(key, name=name, other=match.other) if key else None


def _parse_records(source: str) -> Mapping[str, MachineRecord]:
    try:
        table = parse_json(source) if source else {}
        return {
            str(name): MachineRecord(str(seen[0]), str(seen[1])) for name, seen in table.items()
        }
    except (ValueError, AttributeError, LookupError, TypeError):
        return {}  # every server can be asked for its id again
