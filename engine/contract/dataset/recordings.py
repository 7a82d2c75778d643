"""Find the sound files of a dataset: below a folder of recordings, or by the names in a list.

The laptop and the server find them by these same rules.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

# Containers with a sound track that only PyAV reads; libsndfile reads the others.
CONTAINER_SUFFIXES = frozenset(
    {".m4a", ".mp4", ".aac", ".m4b", ".wma", ".webm", ".mka", ".opus", ".mov", ".mkv"}
)
AUDIO_SUFFIXES = CONTAINER_SUFFIXES | frozenset(
    {".wav", ".wave", ".flac", ".mp3", ".ogg", ".oga", ".aif", ".aiff", ".au", ".w64", ".caf"}
)
TEXT_SUFFIXES = (".txt", ".lab")  # of a recording's text beside it
# What systems and programs put beside people's files.
JUNK_FOLDERS = frozenset({"__macosx", "__pycache__", "$recycle.bin", "system volume information"})
_USUAL_FOLDERS = ("wavs", "wav", "recordings")
_MAX_FOLDERS = 200  # beside a list that are looked into
MAX_RECORDINGS = 50_000


def find_recordings(folder: Path) -> list[Path]:
    """Every sound file below `folder`, sorted; at most MAX_RECORDINGS.

    Hidden files and folders (`.ipynb_checkpoints`, the `._` files of a Mac) and JUNK_FOLDERS are
    left out.
    """
    found: list[Path] = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if path.suffix.lower() not in AUDIO_SUFFIXES or any(map(is_junk, inside)):
            continue
        if path.is_file():
            found.append(path)
        if len(found) >= MAX_RECORDINGS:
            break
    return found


def is_junk(name: str) -> bool:
    """Whether a file or folder of this name was put there by a system, not by a person."""
    return name.startswith(".") or name.lower() in JUNK_FOLDERS


def is_cut_clip(path: Path, clips_folder: Path) -> bool:
    """Whether `path` is a clip that was cut from a recording: its digest ends its name."""
    tail = path.stem.rsplit("_", 2)
    marked = len(tail) == 3 and tail[1].isdigit() and len(tail[2]) == 6
    return path.parent == clips_folder and marked


class FolderIndex:
    """Finds files by names as people and systems write them, listing each folder once.

    A name fits a file that differs in Unicode form (a Mac writes が as two characters), in upper
    and lower case, or in the ending of the sound file; where several files fit, none does.
    """

    def __init__(self) -> None:
        self._by_name: dict[Path, dict[str, list[Path]]] = {}
        self._by_stem: dict[Path, dict[str, list[Path]]] = {}

    def find(self, path: Path) -> Path | None:
        """The file that `path` names; None where there is none."""
        try:
            if path.is_file():
                return path
        except OSError:  # a name that is too long for a file
            return None
        folder = path.parent
        if folder not in self._by_name:
            self._list(folder)
        fitting = self._by_name[folder].get(_fold(path.name), [])
        if not fitting:
            stem = path.stem if path.suffix.lower() in AUDIO_SUFFIXES else path.name
            fitting = self._by_stem[folder].get(_fold(stem), [])
        return fitting[0] if len(fitting) == 1 else None

    def _list(self, folder: Path) -> None:
        names: dict[str, list[Path]] = {}
        stems: dict[str, list[Path]] = {}
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.suffix.lower() in AUDIO_SUFFIXES and not is_junk(path.name):
                names.setdefault(_fold(path.name), []).append(path)
                stems.setdefault(_fold(path.stem), []).append(path)
        self._by_name[folder], self._by_stem[folder] = names, stems


def find_wav_folder(source: Path, written: Sequence[str]) -> Path | None:
    """The folder beside the list `source` that holds most of the files it names.

    `written` are the paths of its lines. None where they lie as written, or nowhere beside it.
    """
    index = FolderIndex()

    def count(folder: Path) -> int:
        return sum(index.find(folder / _base_name(path)) is not None for path in written)

    best, best_count = None, sum(index.find(source.parent / path) is not None for path in written)
    for folder in _folders_beside(source):
        if best_count == len(written):
            break
        found = count(folder)
        if found > best_count:
            best, best_count = folder, found
    return best


def _folders_beside(source: Path) -> Iterable[Path]:
    usual = [source.parent / name for name in _USUAL_FOLDERS]
    others = sorted(source.parent.iterdir()) if source.parent.is_dir() else []
    for folder in [*dict.fromkeys([*usual, *others])][:_MAX_FOLDERS] + [source.parent]:
        if folder.is_dir() and not is_junk(folder.name):
            yield folder


def unique_name(path: str, taken: Iterable[str]) -> str:
    """A file name for `path` that is not `taken`: its folders are put before it, as `b_1.wav`."""
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    names = ["_".join(parts[-count:]) for count in range(1, len(parts) + 1)]
    used = set(taken)
    names += (f"{number}_{names[-1]}" for number in range(2, len(used) + 3))
    return next(name for name in names if name not in used)


def _base_name(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
