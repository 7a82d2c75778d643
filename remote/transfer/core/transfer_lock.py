"""A lock on what one transfer alone may write: a part file, a folder of downloads."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from time import monotonic, sleep

from sovdeck.engine.contract.problem import ExitCode, Problem


class TransferLock:
    """Held while a transfer writes; the system lets go of it when the process dies.

    Problem `remote.transfer.busy` when another holds it; OSError when it cannot be made.
    """

    # A holder that was just killed may have left a half-started child that holds it a moment more.
    WAIT_SECONDS = 1.0

    def __init__(self, path: Path) -> None:
        self.path = path
        until = monotonic() + self.WAIT_SECONDS
        while True:
            self._file = path.open("ab")
            try:
                self._try()
                return
            except OSError as error:
                self._file.close()
                if monotonic() > until:
                    raise Problem(
                        "remote.transfer.busy", ExitCode.CONFIG, path=str(path)
                    ) from error
                sleep(0.05)

    def _try(self) -> None:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(self._file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last holder may have removed the file between our opening and locking it.
            if os.fstat(self._file.fileno()).st_ino != self.path.stat().st_ino:
                raise FileNotFoundError(self.path)

    def release(self, *, remove: bool) -> None:
        """Let go; a second call does nothing."""
        if self._file.closed:
            return
        if sys.platform == "win32":  # an open file cannot be removed there
            self._file.close()
            if remove:
                self.path.unlink(missing_ok=True)
        else:
            import fcntl

            if remove:
                self.path.unlink(missing_ok=True)
            # Said outright: a program just being started by another thread shares the file.
            fcntl.flock(self._file, fcntl.LOCK_UN)
            self._file.close()
