"""What was brought home and compared with the server: a small file beside the voices.

It saves hashing everything again at each look, and it is what "safe to switch off" stands on. A
lost ledger costs time, never bytes: what is here is then compared anew.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from remote.transfer.part_file import disk_errors

FILE = ".sovdeck-verified.json"
VERSION = 1
_LOCK = threading.Lock()  # transfers of one program note side by side


@dataclass(frozen=True)
class Entry:
    """One verified file: whose it is, which version of it, and the copy here."""

    server: str
    path: str
    version: str
    bytes: int
    sha256: str
    local: str  # below the folder of voices, with forward slashes


class Ledger:
    """The notes of one folder of voices. Thread-safe."""

    def __init__(self, outputs: Path) -> None:
        self._outputs = outputs
        self._file = outputs / FILE

    def here(self, server: str) -> dict[str, str]:
        """path -> version of what is verified and still lies here with its size."""
        entries = self._read().values()
        return {one.path: one.version for one in entries if one.server == server and self._is(one)}

    def note(self, *verified: Entry) -> None:
        """Remember files that were just compared; each replaces what was noted of its copy."""
        if not verified:
            return
        with _LOCK, disk_errors(self._file):
            entries = {**self._read(), **{one.local: one for one in verified}}
            raw = {"v": VERSION, "files": [asdict(one) for one in entries.values()]}
            self._outputs.mkdir(parents=True, exist_ok=True)
            handle, fresh = tempfile.mkstemp(prefix=FILE, dir=self._outputs)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(raw, file, ensure_ascii=False, indent=1)
            Path(fresh).replace(self._file)

    def entry(
        self, server: str, path: str, version: str, size: int, sha256: str, local: Path
    ) -> Entry:
        """The note of one file whose copy is `local`, which lies below the folder of voices."""
        place = local.absolute().relative_to(self._outputs.absolute()).as_posix()
        return Entry(server, path, version, size, sha256, place)

    def _is(self, one: Entry) -> bool:
        path = self._outputs / one.local
        return path.is_file() and path.stat().st_size == one.bytes

    def _read(self) -> dict[str, Entry]:
        try:
            raw = json.loads(self._file.read_text(encoding="utf-8"))
            found = [Entry(**one) for one in raw["files"]] if raw["v"] == VERSION else []
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, KeyError):  # torn or of another time: compare anew
            return {}
        return {one.local: one for one in found}
