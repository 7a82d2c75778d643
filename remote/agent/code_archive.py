"""The engine's code as one archive, named by what is in it."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sovdeck.engine import contract
from sovdeck.remote import agent


@dataclass(frozen=True)
class CodeArchive:
    """The engine's code, packed for one upload.

    sha: names the content (folder code/<sha>), 32 hex digits. data: the .tar.gz. data_sha: the
    SHA-256 of `data` itself. requirements: the lines of engine/requirements.txt.
    """

    sha: str
    data: bytes
    data_sha: str
    requirements: tuple[str, ...]


@cache
def build_code_archive() -> CodeArchive:
    """Pack the engine package found next to this program, and INSTALLED_SCRIPTS.

    The same files give the same name on every laptop: no times, owners or orders get in.
    """
    root = Path(contract.__file__).parents[1]
    scripts = Path(agent.__file__).parent
    files = {
        f"sovdeck/engine/{path.relative_to(root).as_posix()}": path
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    files |= {f"agent/{name}": scripts / name for name in agent.INSTALLED_SCRIPTS}
    contents = {name: path.read_bytes() for name, path in files.items()}
    tar = _pack_tar(contents | {"sovdeck/__init__.py": b""})
    data = gzip.compress(tar, compresslevel=6, mtime=0)
    lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    requirements = tuple(line.partition("#")[0].strip() for line in lines)
    return CodeArchive(
        # The name comes from the tar: zlib versions differ in how they compress.
        hashlib.sha256(tar).hexdigest()[:32],
        data,
        hashlib.sha256(data).hexdigest(),
        tuple(filter(None, requirements)),
    )


def _pack_tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(files):
            info = tarfile.TarInfo(name)
            info.size = len(files[name])
            info.mode = 0o644
            tar.addfile(info, io.BytesIO(files[name]))
    return buffer.getvalue()
