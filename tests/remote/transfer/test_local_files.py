"""What a push reads of this computer: in order, once, and never all of it at the same time."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import UserDict
from pathlib import Path

import pytest

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.transfer.upload.local_files import (
    STRIDE_BYTES,
    STRIDES_AHEAD,
    file_sizes,
    hash_ahead,
)

SIZE = 512 << 10


class Counted(UserDict[str, Path]):
    """Local files that know how many of them were looked at."""

    looked = 0

    def __getitem__(self, key: str) -> Path:
        self.looked += 1
        return super().__getitem__(key)


@pytest.fixture
def files(tmp_path: Path) -> Counted:
    local = Counted()
    for number in range(100):
        path = tmp_path / f"{number:03}"
        path.write_bytes(bytes([number]) * SIZE)
        local[path.name] = path
    return local


def test_only_so_much_is_read_ahead_and_all_of_it_comes_in_order(files: Counted) -> None:
    sized = file_sizes(files)
    files.looked = 0
    most = (
        (STRIDES_AHEAD + 1) * STRIDE_BYTES // SIZE
    )  # the stride that was taken, and those behind it
    with hash_ahead(files, sized, threading.Event()) as coming:
        came = [next(coming)]
        until = time.monotonic() + 60
        while files.looked < most and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.1)
        assert files.looked == most < len(files)
        came += coming
    assert [path for path, _ in came] == sorted(files)
    for number, (_, content) in enumerate(came):
        data = bytes([number]) * SIZE
        assert (content.data, content.sha256) == (data, hashlib.sha256(data).hexdigest())
    assert files.looked == len(files)


def test_a_word_to_stop_is_heard_between_two_files(files: Counted) -> None:
    cancel = threading.Event()
    with hash_ahead(files, file_sizes(files), cancel) as coming:
        next(coming)
        cancel.set()
        with pytest.raises(Problem):
            list(coming)
