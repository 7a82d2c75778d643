"""How a book is being read, kept beside its sentences: so that it is revised the same way.

Standard library only: a list of readings must come at once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.atomic_io import file_sha256, write_atomic
from sovdeck.engine.contract.foreign_values import read_facts, read_optional_facts, to_text
from sovdeck.engine.contract.problem import ExitCode, Problem

INDEX = "index.json"
_RECORD = "reading.json"
_MOST_DOUBTFUL = 500  # of one book: more than anybody listens to in one go


def write_reading_record(folder: Path, book: str, options: Sequence[str]) -> None:
    """Keep which file below `folder` is read, and with which options of `engine read`."""
    facts = json.dumps({"book": book, "options": list(options)}, ensure_ascii=False)
    write_atomic(folder / _RECORD, facts.encode("utf-8", "replace"))


def recorded_options(folder: Path) -> list[str]:
    """The options that a reading began with; Problem where none has."""
    try:
        options = read_facts(folder / _RECORD).get("options")
    except FileNotFoundError:
        options = None
    if not isinstance(options, list) or not all(isinstance(one, str) for one in options):
        raise Problem("engine.book.no_reading", ExitCode.CONFIG, folder=str(folder))
    return options


def list_readings(books: Path) -> list[dict[str, Any]]:
    """A row for each reading below `books` that made a chapter, the newest first."""
    indices = sorted(books.glob(f"*/{INDEX}"), key=lambda path: -path.stat().st_mtime_ns)
    rows = []
    for path in indices:
        facts, record = read_optional_facts(path), read_optional_facts(path.with_name(_RECORD))
        book = to_text(record.get("book"))
        doubtful = facts.get("doubtful")
        if not book or not isinstance(doubtful, list):
            continue  # made by an earlier engine: a new `read` records it
        rows.append(
            {
                "event": "book",
                "folder": path.parent.name,
                "book": book,
                "title": to_text(facts.get("title")),
                "checked": facts.get("checked") is True,
                "count": len(doubtful),
                "doubtful": doubtful[:_MOST_DOUBTFUL],
                "sha256": file_sha256(path),
            }
        )
    return rows
