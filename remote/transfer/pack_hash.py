"""Sums of an archive and its members while these arrive: a thread that follows the bytes."""

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
    from the file: what is hashed is what was written. `found`: numbers of members that are not
    what the outline says, and the SHA-256 (hex) of the whole archive.
    """

    def __init__(self, path: Path, reach: Callable[[int], int], outline: Future[Outline]) -> None:
        self._path = path
        self._reach = reach
        self._outline = outline
        self._stop = threading.Event()
        self.found: Future[tuple[list[int], str]] = Future()
        self._thread = threading.Thread(target=self._work, name="transfer-hash", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self.found.set_result(self._follow(self._outline.result()))
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            self.found.set_exception(error)

    def _follow(self, outline: Outline) -> tuple[list[int], str]:
        layout = StoredZip([(member.name, member.size) for member in outline.members])
        whole, bad = hashlib.sha256(), []
        for number, (member, slot) in enumerate(zip(outline.members, layout.slots, strict=True)):
            whole.update(layout.header(slot, member.crc))
            if member.source is None:
                whole.update(member.text)
            elif self._member(slot, whole) != member.sha256:
                bad.append(number)
        whole.update(layout.directory([member.crc for member in outline.members]))
        return bad, whole.hexdigest()

    def _member(self, slot: Slot, whole: hashlib._Hash) -> str:
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
                whole.update(data)
                at += len(data)
        return digest.hexdigest()

    def stop(self) -> None:
        self._stop.set()
