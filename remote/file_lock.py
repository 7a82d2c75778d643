"""A lock between processes on this computer: the system lets go of it when its holder dies."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import BinaryIO

from sovdeck.engine.contract.problem import ExitCode, Problem

# A network file system without locks: work goes on unprotected rather than not at all.
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})


class FileLock:
    """Held from its making until `release`, by one holder on this computer, also among threads.

    `guards`: the file or folder it stands for, which the Problem names. `wait`: seconds to wait
    for another holder; one that was just killed may have left a half-started child that holds it
    a moment more. Problem `remote.transfer.busy` when it is held for longer; OSError when the
    file cannot be made.
    """

    def __init__(self, path: Path, guards: Path, wait: float = 1.0) -> None:
        self.path = path
        until = monotonic() + wait
        while (file := _lock(path)) is None:
            if monotonic() > until:
                raise Problem("remote.transfer.busy", ExitCode.CONFIG, path=str(guards))
            sleep(0.01)
        self._file = file

    def release(self, *, remove: bool) -> None:
        """Let go; a second call does nothing."""
        if self._file.closed:
            return
        if sys.platform == "win32":  # an open file cannot be removed there
            self._file.close()
            if remove:
                with suppress(PermissionError):  # the next holder has it open, and removes it
                    self.path.unlink(missing_ok=True)
        else:
            import fcntl

            if remove:
                self.path.unlink(missing_ok=True)
            # Said outright: a program just being started by another thread shares the file.
            with suppress(OSError):  # where there are no locks
                fcntl.flock(self._file, fcntl.LOCK_UN)
            self._file.close()


def _lock(path: Path) -> BinaryIO | None:
    """The locked file; None while another holds it."""
    try:
        file = path.open("ab")
    except PermissionError:
        # Windows, while its last holder is just removing it.
        if sys.platform == "win32" and path.parent.is_dir() and not path.exists():
            return None
        raise
    try:
        _try(file)
        # On POSIX its last holder may have removed the file between our opening and locking it.
        if sys.platform == "win32" or os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
    except (BlockingIOError, PermissionError, FileNotFoundError):
        pass  # held, or removed
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return file
        file.close()
        raise
    file.close()
    return None


def _try(file: BinaryIO) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
