"""What lies on a disk as the dashboard lists it."""

from __future__ import annotations

from collections.abc import Iterable

from sovdeck.remote.disk.items import KINDS, DiskItem
from sovdeck.remote.printable import strip_controls
from sovdeck.tui.state.server_models import DiskRow


def to_disk_rows(items: Iterable[DiskItem]) -> tuple[DiskRow, ...]:
    """What lies on a disk as the screen lists it: by kind, the largest first."""
    ordered = sorted(items, key=lambda one: (KINDS.index(one.kind), -one.bytes, one.path))
    return tuple(
        DiskRow(
            one.kind,
            one.path,
            strip_controls(one.path),
            one.bytes,
            one.changed,
            one.mark,
            one.used_by,
        )
        for one in ordered
    )
