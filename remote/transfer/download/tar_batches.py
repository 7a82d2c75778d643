"""Downloads small files, many to a stream: every file with its SHA-256 before it."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.errors import InputClosed
from sovdeck.remote.transfer.agent.call import (
    agent_argv,
    agent_failure,
    path_records,
    plain_path,
    unexpected_answer,
)
from sovdeck.remote.transfer.core.batch_queue import BatchQueue
from sovdeck.remote.transfer.core.context import TransferContext
from sovdeck.remote.transfer.core.receive_buffer import ReceiveBuffer
from sovdeck.remote.transfer.core.tuning import WINDOW
from sovdeck.remote.transfer.core.worker_pool import WorkerState
from sovdeck.remote.transfer.download.part_file import disk_errors
from sovdeck.remote.transfer.sftp.worker import TransferWorker

_LONGEST_HEAD = 100  # 64 hex digits, a space, a number


@dataclass(frozen=True)
class DownloadItem:
    """One remote file, its bytes when it was named, and where it goes here."""

    path: str
    size: int
    local: Path


# Hears of each file that is here, with its SHA-256 (hex).
OnReceived = Callable[[DownloadItem, str], None]


class BatchReceiver:
    """Receives batches of `queue`; a file lies in `incoming` until it is whole and has its name.

    Paths are plain text here: of thousands of files, pathlib would be a fifth of the time.
    """

    def __init__(
        self,
        transfer: TransferContext,
        folder: str,
        queue: BatchQueue[DownloadItem],
        incoming: Path,
        on_received: OnReceived,
    ) -> None:
        self._transfer = transfer
        self._folder = plain_path(folder)
        self._queue = queue
        self._incoming = incoming
        self._on_received = on_received
        self._numbers = itertools.count()
        self._folders: set[str] = set()

    def work(self, worker: TransferWorker, state: WorkerState) -> None:
        """Receive batches until none waits."""
        while not state.stop_requested.is_set() and (batch := self._queue.take()):
            done = 0
            try:
                argv = agent_argv("send", self._folder)
                with worker.command(argv, state, WINDOW) as stream, disk_errors(self._incoming):
                    with suppress(InputClosed):  # the agent has ended, and its code says why
                        stream.write(path_records(item.path for item in batch))
                    stream.close_write()
                    came = ReceiveBuffer(
                        stream,
                        state.mark_active,
                        lambda: agent_failure(stream.exit_code, self._folder, b""),
                    )
                    for item in batch:
                        self._receive_file(came, item, state)
                        done += 1
            finally:
                self._queue.complete(batch, done)

    def _receive_file(self, came: ReceiveBuffer, item: DownloadItem, state: WorkerState) -> None:
        words = came.take_line(_LONGEST_HEAD).decode("ascii", "replace").split()
        if len(words) != 2:
            raise unexpected_answer(" ".join(words))
        if words[0] == "-" or words[1] != str(item.size):  # since it was named
            raise Problem("remote.transfer.changed", ExitCode.DATA, path=item.path)
        fresh = f"{self._incoming}{os.sep}{next(self._numbers)}"
        digest = hashlib.sha256()
        with open(fresh, "wb", 0) as file:  # noqa: PTH123
            for part in came.take_pieces(item.size):
                digest.update(part)
                state.pause(self._transfer.limiter.delay(len(part)))
                while part:
                    part = part[file.write(part) :]
        if digest.hexdigest() != words[0]:
            raise Problem("remote.transfer.changed", ExitCode.DATA, path=item.path)
        self._move_into_place(fresh, str(item.local))
        self._on_received(item, words[0])
        self._transfer.meter.add(item.size)

    def _move_into_place(self, fresh: str, final: str) -> None:
        parent = os.path.dirname(final)  # noqa: PTH120
        if parent not in self._folders:
            Path(parent).mkdir(parents=True, exist_ok=True)
            self._folders.add(parent)
        os.replace(fresh, final)  # noqa: PTH105
