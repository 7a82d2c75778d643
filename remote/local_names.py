"""File names that work on Linux, macOS and Windows alike. Pure."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

_RESERVED = {"con", "prn", "aux", "nul", "conin$", "conout$"} | {
    f"{device}{n}" for device in ("com", "lpt") for n in "0123456789¹²³"
}
_REFUSED = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
MOST = 200  # characters; file systems stop at 255 bytes, and `.part.journal` is added


def is_safe(name: str) -> bool:
    """Whether one path component may be created as it is on every system."""
    return name not in ("", ".", "..") and safe(name) == name


def safe(name: str) -> str:
    """The nearest name that every system takes. `a:b` -> `a_b`, `CON.txt` -> `CON_.txt`."""
    name = _REFUSED.sub("_", name)
    if not (name.isascii() and name.isprintable()):
        name = "".join("_" if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in name)
    name = name.rstrip(" .") or "_"
    stem, dot, rest = name.partition(".")
    if stem.rstrip(" ").lower() in _RESERVED:
        name = f"{stem.rstrip(' ')}_{dot}{rest}"
    if len(name.encode("utf-8")) > MOST:
        name = _shortened(name)
    return name


def _shortened(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > 10:
        stem, ending = name, ""
    room = MOST - len((dot + ending).encode("utf-8")) if ending else MOST
    cut = stem.encode("utf-8")[:room].decode("utf-8", "ignore").rstrip(" .")
    return cut + (dot + ending if ending else "")


def folded(path: str) -> str:
    """What two paths must differ in to be two files on macOS and Windows."""
    return unicodedata.normalize("NFC", path).casefold()


def safe_path(raw: str) -> PurePosixPath | None:
    """Where a relative path of a server may be written below a folder here; None: nowhere.

    Absolute paths, drive letters, backslashes, zero bytes and empty, `.` or `..` parts have no
    place; parts that some system refuses are changed by `safe`.
    """
    parts = raw.split("/")
    elsewhere = raw[1:2] == ":" or "\\" in raw or "\0" in raw
    if elsewhere or any(part in ("", ".", "..") for part in parts):
        return None
    return PurePosixPath(*map(safe, parts))


class TakenPaths:
    """The paths of one folder so far: none may meet another on a system that folds case."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: dict[str, PurePosixPath] = {}

    def claim(self, path: PurePosixPath, *, is_file: bool = True) -> bool:
        """Take a path; False when it meets one that was taken before."""
        folders = [*path.parents][:-1] if is_file else [path, *path.parents][:-1]
        for folder in folders:
            key = folded(str(folder))
            if key in self._files or self._folders.setdefault(key, folder) != folder:
                return False
        if is_file:
            key = folded(str(path))
            if key in self._files or key in self._folders:
                return False
            self._files.add(key)
        return True
