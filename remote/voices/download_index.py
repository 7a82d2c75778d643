"""The index of downloads that were compared with the server: a small file beside the voices.

It saves hashing everything again at each sync, and "safe to switch off" is decided by it. A lost
index costs time, never bytes: what is here is then compared anew.
"""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.atomic_io import write_atomic
from sovdeck.engine.contract.foreign_values import is_file, parse_json
from sovdeck.remote.transfer.download.part_file import disk_errors

FILE = ".sovdeck-verified.json"
VERSION = 1
_LOCK = threading.Lock()  # transfers of one program write it at the same time


@dataclass(frozen=True)
class VerifiedFile:
    """One verified file: its server and path there, its version, and the copy here.

    sha256: hex. local: path below the folder of voices, with forward slashes.
    """

    server: str
    path: str
    version: str
    bytes: int
    sha256: str
    local: str


def _to_entry(raw: Any) -> VerifiedFile:
    """The entry that JSON holds; ValueError or TypeError when it is none."""
    entry = VerifiedFile(**raw)
    texts = (entry.server, entry.path, entry.version, entry.sha256, entry.local)
    if not all(isinstance(text, str) for text in texts) or type(entry.bytes) is not int:
        raise ValueError("an entry of another kind")
    return entry


class DownloadIndex:
    """The index of one folder of voices (`outputs`). Thread-safe."""

    def __init__(self, outputs: Path) -> None:
        self._outputs = outputs
        self._file = outputs / FILE

    def verified_on(self, server: str) -> dict[str, str]:
        """Version by path on `server`, of files that are verified and still here in full size."""
        entries = self._read().values()
        return {
            one.path: one.version for one in entries if one.server == server and self._exists(one)
        }

    def add(self, *verified: VerifiedFile) -> None:
        """Store files that were just compared; each replaces the entry of its local copy."""
        if not verified:
            return
        with _LOCK, disk_errors(self._file):
            entries = {**self._read(), **{one.local: one for one in verified}}
            raw = {"v": VERSION, "files": [asdict(one) for one in entries.values()]}
            text = json.dumps(raw, ensure_ascii=False, indent=1)
            write_atomic(self._file, text.encode(), durable=False, mode=0o600)

    def verified_file(
        self, server: str, path: str, version: str, size: int, sha256: str, local: Path
    ) -> VerifiedFile:
        """The entry of a file whose copy is `local`, which lies below the folder of voices."""
        relative = local.absolute().relative_to(self._outputs.absolute()).as_posix()
        return VerifiedFile(server, path, version, size, sha256, relative)

    def _exists(self, one: VerifiedFile) -> bool:
        path = self._outputs / one.local
        return is_file(path) and path.stat().st_size == one.bytes

    def _read(self) -> dict[str, VerifiedFile]:
        try:
            raw = parse_json(self._file.read_text(encoding="utf-8"))
            found = [_to_entry(one) for one in raw["files"]] if raw["v"] == VERSION else []
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, KeyError):  # torn or of another time: compare anew
            return {}
        return {one.local: one for one in found}
