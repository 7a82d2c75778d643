"""The disks of real servers: listed and cleaned as `sovdeck clean` does it."""

from __future__ import annotations

from collections.abc import Sequence

from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.format import format_bytes
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.disk.items import choose
from sovdeck.remote.disk.server_disk import ServerDisk, list_server_disk, remove_from_server
from sovdeck.tui.services.connections import ConnectionRegistry, now_ms
from sovdeck.tui.services.disk_rows import to_disk_rows
from sovdeck.tui.services.protocols import Cancel, Emit
from sovdeck.tui.state import events as ev


class LiveDisks:
    """Lists what may be removed, and removes what a person chose of it."""

    def __init__(self, connections: ConnectionRegistry) -> None:
        self._connections = connections
        self._listed: dict[str, ServerDisk] = {}

    def list_items(self, server: str, emit: Emit, cancel: Cancel) -> None:
        """Emit what lies there."""
        disk = list_server_disk(self._connections.session(server))
        self._listed[server] = disk
        emit(ev.DiskSeen(server, to_disk_rows(disk.items), disk.now))

    def remove(
        self, server: str, paths: Sequence[str], named: Sequence[str], emit: Emit, cancel: Cancel
    ) -> None:
        """Remove what was chosen of the last list, emit how much went, and what is left."""
        session, disk = self._connections.session(server), self._listed[server]
        chosen, _ = choose(disk.items, paths, named)
        try:
            gone = remove_from_server(session, disk, chosen)
            size = format_bytes(sum(item.bytes for item in gone))
            said = text("tui.clean.removed", count=len(gone), size=size)
            emit(ev.NoticeRaised("good", said, now_ms(), server=server))
            left = [item.path for item in chosen if item not in gone]
            if left:
                facts = {"count": len(left), "path": left[0]}
                raise Problem("remote.disk.not_removed", ExitCode.DATA, **facts)
        finally:
            self.list_items(server, emit, cancel)
