"""Sums of an archive's members while these arrive: a thread that follows the bytes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from remote.transfer.outline import Outline
from remote.transfer.stored_zip import Slot, StoredZip

STEP = 1 << 20


class PackHash:
    """Follows the members of an archive in order as `path` gets them, once the outline is known.

    `reach` tells where what has come from an offset on without a gap ends. The bytes are read back
    from the file: what is hashed is what was written. `bad`: numbers of the members that are not
    what the outline says.
    """

    def __init__(self, path: Path, reach: Callable[[int], int], outline: Future[Outline]) -> None:
        self._path = path
        self._reach = reach
        self._outline = outline
        self._stop = threading.Event()
        self.bad: Future[list[int]] = Future()
        self._thread = threading.Thread(target=self._work, name="transfer-hash", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self.bad.set_result(self._follow(self._outline.result()))
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            self.bad.set_exception(error)

    def _follow(self, outline: Outline) -> list[int]:
        layout = StoredZip([(member.name, member.size) for member in outline.members])
        pairs = enumerate(zip(outline.members, layout.slots, strict=True))
        return [
            number
            for number, (member, slot) in pairs
            if member.source is not None and self._member(slot) != member.sha256
        ]

    def _member(self, slot: Slot) -> str:
        digest, at = hashlib.sha256(), slot.data
        with self._path.open("rb", buffering=0) as file:
            file.seek(at)
            while at < slot.end:
                ready = min(slot.end, self._reach(at))
                if ready == at:
                    # A coarse step: this thread must not fight the receiving ones.
                    if self._stop.wait(0.05):
                        return ""
                    continue
                data = file.read(min(STEP, ready - at))
                digest.update(data)
                at += len(data)
        return digest.hexdigest()

    def stop(self) -> None:
        self._stop.set()
