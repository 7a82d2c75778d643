"""What a voice's archive will hold, as the engine says before any archive exists.

`python -m engine pack NAME --outline` prints it: members in archive order, each with the file it
comes from or its text, its bytes and SHA-256.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from engine.contract.problem import ExitCode, Problem

VERSION = 1
MOST_MEMBERS = 100_000


@dataclass(frozen=True)
class Member:
    """One file of the archive. `source`: remote path below the work folder; else `text` is all."""

    name: str
    size: int
    sha256: str
    source: str | None
    text: bytes = b""


@dataclass(frozen=True)
class Outline:
    """An archive that could be made now. `digest` names this exact content."""

    name: str
    members: tuple[Member, ...]
    digest: str


def parse(raw: Any) -> Outline:
    """Read the engine's outline, already taken from JSON; Problem when it is not one."""
    try:
        if raw["outline"] != VERSION or len(raw["members"]) > MOST_MEMBERS:
            raise ValueError("version")
        members = tuple(_member(item) for item in raw["members"])
        name = _path(raw["name"])
    except (ValueError, TypeError, KeyError) as error:
        shown = "".join(c for c in str(error) if c.isprintable())[:80]
        raise Problem("remote.transfer.bad_outline", ExitCode.DATA, why=shown) from error
    canonical = json.dumps(
        [[m.name, m.size, m.sha256] for m in members], ensure_ascii=True, separators=(",", ":")
    )
    return Outline(name, members, hashlib.sha256(canonical.encode()).hexdigest())


def _member(item: Any) -> Member:
    size, sha256 = item["bytes"], item["sha256"]
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 50:
        raise ValueError(f"bytes {size}")
    if not isinstance(sha256, str) or len(sha256) != 64:
        raise ValueError(f"sha256 {sha256}")
    if "text" in item:
        text = str(item["text"]).encode("utf-8")
        if len(text) != size or hashlib.sha256(text).hexdigest() != sha256:
            raise ValueError(f"text of {item['path']}")
        return Member(_path(item["path"]), size, sha256, None, text)
    return Member(_path(item["path"]), size, sha256, _path(item["source"]))


def _path(path: Any) -> str:
    """A relative path of plain parts: nothing outside the work folder is asked for."""
    if not isinstance(path, str) or "\\" in path or "\0" in path:
        raise ValueError(f"path {path!r}")
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"path {path!r}")
    return path
