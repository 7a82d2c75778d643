"""What each prepared item was made from, so that only what changed is made again.

An append-only file of JSON lines beside upstream's own files: one line a finished step, so a
killed run loses at most the item it was at. A torn last line is ignored.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from engine.prepare.folder import replace_lines


@dataclass(frozen=True)
class Entry:
    """One item. Each `*_key` is a digest of everything its step was made from, "" if undone."""

    name: str
    text_key: str = ""
    phones: str = ""
    word2ph: tuple[int, ...] | None = None
    normalized: str = ""
    audio_key: str = ""
    seconds: float = 0.0
    token_key: str = ""
    tokens: str = ""


class Index:
    """Entries by item name; every `put` is on disk when it returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, Entry] = {}
        if path.exists():
            for line in path.read_bytes().splitlines():
                entry = _entry(line)
                if entry is not None:
                    self._entries[entry.name] = entry
        replace_lines(path, map(_line, self._entries.values()))  # drops torn and outdated lines

    def get(self, name: str) -> Entry:
        return self._entries.get(name, Entry(name))

    def put(self, entry: Entry) -> None:
        self._entries[entry.name] = entry
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line(entry) + "\n")

    def update(self, name: str, **changes: Any) -> Entry:
        entry = replace(self.get(name), **changes)
        self.put(entry)
        return entry


def digest(*parts: str) -> str:
    """One key of several parts; the order and the borders between parts count."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        state = hashlib.sha256()
        while chunk := file.read(1 << 20):
            state.update(chunk)
    return state.hexdigest()


def _line(entry: Entry) -> str:
    return json.dumps(asdict(entry), ensure_ascii=False)


def _entry(line: bytes) -> Entry | None:
    try:
        raw = json.loads(line)
    except ValueError:
        return None
    if not isinstance(raw, dict) or set(raw) != {field.name for field in fields(Entry)}:
        return None
    word2ph = raw["word2ph"]
    return Entry(**{**raw, "word2ph": tuple(word2ph) if word2ph is not None else None})
