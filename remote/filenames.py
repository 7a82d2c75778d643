"""File names that work on Linux, macOS and Windows alike. Pure."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

_RESERVED = {"con", "prn", "aux", "nul", "conin$", "conout$"} | {
    f"{device}{n}" for device in ("com", "lpt") for n in "0123456789¹²³"
}
_REFUSED = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
MAX_NAME_BYTES = 200  # of UTF-8; file systems stop at 255, and `.part.journal` is added


def is_safe_name(name: str) -> bool:
    """Whether one path component may be created as it is on every system."""
    return name not in ("", ".", "..") and safe_name(name) == name


def safe_name(name: str) -> str:
    """Return the nearest name that every system takes: `a:b` -> `a_b`, `CON.txt` -> `CON_.txt`."""
    name = _REFUSED.sub("_", name)
    if not (name.isascii() and name.isprintable()):
        name = "".join("_" if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in name)
    name = name.rstrip(" .") or "_"
    stem, dot, rest = name.partition(".")
    if stem.rstrip(" ").lower() in _RESERVED:
        name = f"{stem.rstrip(' ')}_{dot}{rest}"
    if len(name.encode("utf-8")) > MAX_NAME_BYTES:
        name = _shorten(name)
    return name


def _shorten(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > 10:
        stem, ending = name, ""
    suffix = dot + ending if ending else ""
    max_stem_bytes = MAX_NAME_BYTES - len(suffix.encode("utf-8"))
    cut = stem.encode("utf-8")[:max_stem_bytes].decode("utf-8", "ignore").rstrip(" .")
    return cut + suffix


def fold_path(path: str) -> str:
    """Return a path as macOS and Windows compare it: NFC, without letter case."""
    return unicodedata.normalize("NFC", path).casefold()


def safe_relative_path(raw: str) -> PurePosixPath | None:
    """Return the path below a local folder for a server's relative path; None when refused.

    Refused are absolute paths, drive letters, backslashes, zero bytes and empty, `.` or `..`
    parts; parts that some system does not take are changed by `safe_name`.
    """
    parts = raw.split("/")
    escapes = raw[1:2] == ":" or "\\" in raw or "\0" in raw
    if escapes or any(part in ("", ".", "..") for part in parts):
        return None
    return PurePosixPath(*map(safe_name, parts))


class TakenPaths:
    """The paths written below one folder so far; no two may be one on a case-folding system."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: dict[str, PurePosixPath] = {}

    def claim(self, path: PurePosixPath, *, is_file: bool = True) -> bool:
        """Take a path; False when a path taken before would be the same file or its folder."""
        folders = [*path.parents][:-1] if is_file else [path, *path.parents][:-1]
        for folder in folders:
            key = fold_path(str(folder))
            if key in self._files or self._folders.setdefault(key, folder) != folder:
                return False
        if is_file:
            key = fold_path(str(path))
            if key in self._files or key in self._folders:
                return False
            self._files.add(key)
        return True
