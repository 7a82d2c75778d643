"""What each prepared item was made from, so that only what changed is made again.

An append-only file of JSON lines beside upstream's own files: one line a finished step, so a
killed run loses at most the item it was at. An incomplete last line is ignored.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.foreign_values import parse_json
from sovdeck.engine.prepare.dataset_folder import replace_lines


@dataclass(frozen=True)
class CacheEntry:
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
    speaker_key: str = ""


class CacheIndex:
    """Entries by item name; every `put` is on disk when it returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, CacheEntry] = {}
        if path.exists():
            for line in path.read_bytes().splitlines():
                entry = _parse_entry(line)
                if entry is not None:
                    self._entries[entry.name] = entry
        # Drops incomplete and outdated lines.
        replace_lines(path, map(_to_json_line, self._entries.values()))

    def get(self, name: str) -> CacheEntry:
        """The entry of an item; an empty one for an item that is new."""
        return self._entries.get(name, CacheEntry(name))

    def put(self, entry: CacheEntry) -> None:
        """Append an entry to the file."""
        self._entries[entry.name] = entry
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_to_json_line(entry) + "\n")

    def update(self, name: str, **changes: Any) -> CacheEntry:
        """Change some fields of an item's entry and append it to the file."""
        entry = replace(self.get(name), **changes)
        self.put(entry)
        return entry


def cache_key(*parts: str) -> str:
    """One key of several parts; the order and the borders between parts count."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _to_json_line(entry: CacheEntry) -> str:
    return json.dumps(asdict(entry), ensure_ascii=False)


def _parse_entry(line: bytes) -> CacheEntry | None:
    try:
        raw = parse_json(line)
    except ValueError:
        return None
    known = {field.name for field in fields(CacheEntry)}
    if not isinstance(raw, dict) or "name" not in raw or not set(raw) <= known:
        return None
    word2ph = raw.get("word2ph")
    return CacheEntry(**{**raw, "word2ph": tuple(word2ph) if word2ph is not None else None})
