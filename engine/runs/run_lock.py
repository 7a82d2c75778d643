"""One engine at a time in a run folder: a lock that the kernel releases when its holder ends."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sovdeck.engine.contract.problem import ExitCode, Problem

LOCK_FILE = "engine.lock"
# A network file system without locks: the supervisor's own check must do there.
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})

_held: set[int] = set()


def _let_go() -> None:
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


# Descriptors of Python's are not handed to programs; a forked child would keep the lock alive
# after its engine died, and the run could not go on.
os.register_at_fork(after_in_child=_let_go)


class RunLock:
    """A run's folder, held. The lock's file says by whom."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def note_attempt(self, attempt: int) -> None:
        """Write down our process and the attempt that our events carry.

        With it a supervisor that adopts us knows whose `run_finished` the last event is.
        """
        with suppress(OSError):  # a full disk: then nobody is told, and the run goes on
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()} {attempt}\n".encode(), 0)


@contextmanager
def lock_run(folder: Path) -> Iterator[RunLock]:
    """Hold a run's folder; Problem when another engine writes there.

    A supervisor that was killed leaves its engine at work: whoever starts the run again would
    write the same events and states.
    """
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    _held.add(descriptor)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem("engine.run.in_use", ExitCode.CONFIG, run=folder.name) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        yield RunLock(descriptor)
    finally:
        if descriptor in _held:  # not in a child that was forked meanwhile
            _held.remove(descriptor)
            os.close(descriptor)
