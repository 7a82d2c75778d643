"""What a voice's archive will hold, as the engine says before any archive exists.

`python -m engine pack NAME --outline` prints two objects: at once a plan, the files in archive
order with their bytes; and, once it has read them, the outline: every member with its sums.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from engine.contract.problem import ExitCode, Problem

VERSION = 2
MOST_MEMBERS = 100_000


@dataclass(frozen=True)
class Planned:
    """One file of the archive to be, and its remote path below the work folder."""

    name: str
    size: int
    source: str


@dataclass(frozen=True)
class Plan:
    """Files that an archive would begin with. `mark` changes when one of them is written anew."""

    name: str
    members: tuple[Planned, ...]
    mark: int


@dataclass(frozen=True)
class Member:
    """One file of the archive. `source`: remote path below the work folder; else `text` is all."""

    name: str
    size: int
    sha256: str
    crc: int
    source: str | None
    text: bytes = b""


@dataclass(frozen=True)
class Outline:
    """An archive that could be made now."""

    name: str
    members: tuple[Member, ...]

    def fits(self, plan: Plan) -> bool:
        """Whether it is what was planned, and text after that."""
        files = [Planned(m.name, m.size, m.source) for m in self.members if m.source is not None]
        begins = [m.name for m in self.members[: len(files)]] == [m.name for m in files]
        return self.name == plan.name and tuple(files) == plan.members and begins


def parse_plan(raw: Any) -> Plan:
    """Read the engine's plan, already taken from JSON; Problem when it is not one."""
    with _sound():
        if raw["plan"] != VERSION or len(raw["members"]) > MOST_MEMBERS:
            raise ValueError("version")
        items = [
            (_path(item["path"]), _count(item["bytes"]), _path(item["source"]),
             _count(item["mtime_ns"]))
            for item in raw["members"]
        ]  # fmt: skip
        mark = int(hashlib.sha256(json.dumps(items).encode()).hexdigest()[:12], 16)
        members = tuple(Planned(name, size, source) for name, size, source, _ in items)
        return Plan(_path(raw["name"]), members, mark)


def parse(raw: Any) -> Outline:
    """Read the engine's outline, already taken from JSON; Problem when it is not one."""
    with _sound():
        if raw["outline"] != VERSION or len(raw["members"]) > MOST_MEMBERS:
            raise ValueError("version")
        return Outline(_path(raw["name"]), tuple(_member(item) for item in raw["members"]))


@contextmanager
def _sound() -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, KeyError) as error:
        shown = "".join(c for c in str(error) if c.isprintable())[:80]
        raise Problem("remote.transfer.bad_outline", ExitCode.DATA, why=shown) from error


def _member(item: Any) -> Member:
    size, sha256, crc = _count(item["bytes"]), item["sha256"], _count(item["crc32"])
    if not isinstance(sha256, str) or len(sha256) != 64 or crc >= 1 << 32:
        raise ValueError(f"sums {sha256} {crc}")
    if "text" in item:
        text = str(item["text"]).encode("utf-8")
        if len(text) != size or hashlib.sha256(text).hexdigest() != sha256:
            raise ValueError(f"text of {item['path']}")
        return Member(_path(item["path"]), size, sha256, crc, None, text)
    return Member(_path(item["path"]), size, sha256, crc, _path(item["source"]))


def _count(number: Any) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 1 << 63:
        raise ValueError(f"number {number}")
    return number


def _path(path: Any) -> str:
    """A relative path of plain parts: nothing outside the work folder is asked for."""
    if not isinstance(path, str) or "\\" in path or "\0" in path:
        raise ValueError(f"path {path!r}")
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"path {path!r}")
    return path
