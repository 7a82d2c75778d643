"""Made-up disks of servers."""

from __future__ import annotations

from collections.abc import Sequence

from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.format import format_bytes
from sovdeck.remote.disk.items import DiskItem, choose
from sovdeck.tui.services.disk_rows import to_disk_rows
from sovdeck.tui.services.fakes.world import FROZEN_NOW, FakeWorld
from sovdeck.tui.services.protocols import Cancel, Emit
from sovdeck.tui.state import events as ev

_DAY_S = 86_400


def fake_disk(voice: str, run: str = "") -> tuple[DiskItem, ...]:
    """What two voices and their runs left; `run` works with the one named."""
    now = FROZEN_NOW // 1000
    return (
        DiskItem("states", f"logs/{voice}/states_v2Pro", 4_210_331_648, now - 900, "resume", run),
        DiskItem("states", "logs/Old Mei/states", 4_187_004_928, now - 41 * _DAY_S, "resume"),
        DiskItem("features", "logs/Old Mei/4-cnhubert", 812_646_400, now - 41 * _DAY_S, "safe"),
        DiskItem("packs", "packs/Old Mei.zip", 243_118_080, now - 40 * _DAY_S, "safe"),
        DiskItem("weights", "GPT_weights/Old Mei", 1_241_513_984, now - 40 * _DAY_S, "only_copy"),
        DiskItem("samples", "runs/mei-3/samples", 18_350_080, now - 40 * _DAY_S, "only_copy"),
        DiskItem("code", "code/51c09d2be7", 3_145_728, now - 12 * _DAY_S, "safe", run),
        DiskItem("caches", "cache", 2_936_012_800, now - 3 * _DAY_S, "safe", run),
        DiskItem("halves", "pretrained/v2/.s1v3.ckpt.part", 88_080_384, now - 2 * _DAY_S, "resume"),
    )


class FakeDisks:
    """The made-up disks of the world."""

    def __init__(self, world: FakeWorld) -> None:
        self.world = world

    def list_items(self, server: str, emit: Emit, cancel: Cancel) -> None:
        """Emit what lies on a server."""
        self.world.record_call("disk", server)
        items = self.world.disks.get(server, ())
        emit(ev.DiskSeen(server, to_disk_rows(items), self.world.now() // 1000))

    def remove(
        self, server: str, paths: Sequence[str], named: Sequence[str], emit: Emit, cancel: Cancel
    ) -> None:
        """Remove what was chosen, as the real ones choose it."""
        self.world.record_call("clean", server, *paths, *(f"named:{path}" for path in named))
        items = self.world.disks.get(server, ())
        gone, _ = choose(items, paths, named)
        self.world.disks[server] = tuple(item for item in items if item not in gone)
        size = format_bytes(sum(item.bytes for item in gone))
        said = text("tui.clean.removed", count=len(gone), size=size)
        emit(ev.NoticeRaised("good", said, self.world.now(), server=server))
        self.list_items(server, emit, cancel)
