"""Opening a torch file of unknown origin: checked byte for byte, never executed.

A file passes four checks before a tensor is used. Its zip structure must be valid and every
record must match its CRC; its pickle may name nothing but tensors and the few inert classes of
`pickle_stubs`; torch's restricted unpickler (`weights_only=True`) builds the objects, mapping the
file instead of trusting the sizes written in it; and no tensor may be larger than the file.
"""

from __future__ import annotations

import hashlib
import pickletools
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.interop.pickle_stubs import PICKLE_STUBS, is_allowed_global
from sovdeck.engine.interop.to_builtins import to_builtins

HEAD_BYTES = 8192  # upstream recognises its official bases by the md5 of these
_MAX_PICKLE_BYTES = 16 << 20
_ZIP_MAGIC = b"PK"


@dataclass(frozen=True)
class LoadedFile:
    """What a torch file holds: plain dicts, lists, numbers and tensors.

    `magic` is the first two bytes as text: "PK", or the digits that later GPT-SoVITS versions
    write there.
    """

    path: Path
    bytes: int
    magic: str
    head_md5: str
    content: dict[str, Any]

    def tensors(self, entry: str) -> dict[str, Tensor]:
        """The named tensors of an entry; empty when it is missing or holds anything else."""
        named = self.content.get(entry)
        if not isinstance(named, dict):
            return {}
        fine = all(isinstance(n, str) and isinstance(t, Tensor) for n, t in named.items())
        return dict(named) if fine else {}


def read_magic(path: Path) -> str:
    """The first two bytes of a file as text; Problem when it cannot be read or is no torch file."""
    try:
        with path.open("rb") as file:
            magic = file.read(2)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise Problem(
            "engine.weights.unreadable", ExitCode.DATA, path=str(path), why=why
        ) from error
    if magic != _ZIP_MAGIC and not (len(magic) == 2 and magic.isdigit()):
        raise _not_torch(path, "it does not begin like a torch archive")
    return magic.decode("ascii")


def safe_load(path: str | Path) -> LoadedFile:
    """Read a torch zip file without running anything in it; Problem for any defect.

    Legacy (pre-zip) torch files are refused: nothing of GPT-SoVITS v2 is stored that way.
    """
    path = Path(path)
    magic = read_magic(path)
    size = path.stat().st_size
    with _restore_zip_magic(path, magic) as archive:
        with archive.open("rb") as file:
            head_md5 = hashlib.md5(file.read(HEAD_BYTES), usedforsecurity=False).hexdigest()
        _check_globals(_read_checked_pickle(archive, path), path)
        content = _load_content(archive, path, size)
    if not isinstance(content, dict):
        raise _not_torch(path, f"it holds a {type(content).__name__}, not named entries")
    return LoadedFile(path, size, magic, head_md5, content)


@contextmanager
def _restore_zip_magic(path: Path, magic: str) -> Iterator[Path]:
    """The archive to read: the file itself, or a copy whose first bytes are a zip's again."""
    if magic == "PK":
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="sovdeck-") as folder:
        copy = Path(folder) / "restored.pth"
        shutil.copyfile(path, copy)
        with copy.open("r+b") as file:
            file.write(_ZIP_MAGIC)
        yield copy


def _read_checked_pickle(archive: Path, path: Path) -> bytes:
    """Verify every record of the zip and return `data.pkl`."""
    size = archive.stat().st_size
    try:
        with zipfile.ZipFile(archive) as records:
            entries = records.infolist()
            names = [entry.filename for entry in entries]
            pickles = [entry for entry in entries if entry.filename.endswith("/data.pkl")]
            if len(set(names)) != len(names) or len(pickles) != 1:
                raise zipfile.BadZipFile("its records are not those of one torch archive")
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise zipfile.BadZipFile("a record is compressed, which torch never does")
            if sum(entry.file_size for entry in entries) > size:
                raise zipfile.BadZipFile("its records are larger than the file")
            if pickles[0].file_size > _MAX_PICKLE_BYTES:
                raise zipfile.BadZipFile("its index is implausibly large")
            broken = records.testzip()
            if broken is not None:
                raise zipfile.BadZipFile(f"record {broken} does not match its checksum")
            return records.read(pickles[0])
    except OSError as error:
        why = error.strerror or str(error)
        raise Problem(
            "engine.weights.unreadable", ExitCode.DATA, path=str(path), why=why
        ) from error
    except Exception as error:  # noqa: BLE001  zipfile raises a dozen types for broken bytes
        raise _damaged(path, error) from error


def _check_globals(pickled: bytes, path: Path) -> None:
    """Refuse a pickle that names anything but tensors and inert classes, before building it."""
    for name, argument in _operations(pickled, path):
        if name == "GLOBAL" and is_allowed_global(str(argument)):
            continue
        if name in ("GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4"):
            asked = str(argument or name).replace(" ", ".")[:80]
            raise Problem("engine.weights.forbidden", ExitCode.DATA, path=str(path), asked=asked)


def _operations(pickled: bytes, path: Path) -> Iterator[tuple[str, Any]]:
    try:
        for operation, argument, _ in pickletools.genops(pickled):
            yield operation.name, argument
    except Exception as error:  # noqa: BLE001  pickletools raises a dozen types for broken bytes
        raise _damaged(path, error) from error


def _load_content(archive: Path, path: Path, size: int) -> Any:
    try:
        with torch.serialization.safe_globals(list(PICKLE_STUBS)):
            raw = torch.load(archive, map_location="cpu", weights_only=True, mmap=True)
        # Copied out of the mapping, so that the file may be replaced or removed afterwards.
        return to_builtins(raw, max_bytes=size)
    except Exception as error:  # noqa: BLE001  torch raises a dozen types for broken files
        raise _damaged(path, error) from error


def _not_torch(path: Path, why: str) -> Problem:
    return Problem("engine.weights.not_torch", ExitCode.DATA, path=str(path), why=why)


def _damaged(path: Path, error: Exception) -> Problem:
    lines = str(error).splitlines()
    why = (lines[0] if lines else type(error).__name__)[:160]
    return Problem("engine.weights.damaged", ExitCode.DATA, path=str(path), why=why)
