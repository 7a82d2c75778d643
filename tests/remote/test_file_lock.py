"""A lock between processes, and small files that several of them change."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.file_lock import FileLock
from sovdeck.remote.locked_file import edit_lines

HOLD = """
import sys
from pathlib import Path
from sovdeck.remote.file_lock import FileLock
lock = FileLock(Path(sys.argv[1]), Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def hold(path: Path) -> subprocess.Popen[str]:
    """A process that holds the lock of `path` until it is killed."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    return holder


def test_a_lock_belongs_to_one_process_until_that_dies(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with hold(path) as holder:
        with pytest.raises(Problem) as caught:
            FileLock(path, tmp_path / "voice.zip", 0.05)
        assert caught.value.key == "remote.transfer.busy"
        assert "voice.zip now" in str(caught.value), "what is written, not the lock's own file"
        holder.kill()
        FileLock(path, path, 5.0).release(remove=True)
    assert not path.exists()


def test_a_lock_belongs_to_one_holder_of_a_process(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    first = FileLock(path, path)
    with pytest.raises(Problem):
        FileLock(path, path, 0.05)
    first.release(remove=False)
    second = FileLock(path, path)
    first.release(remove=True)  # a second time: it is not its own any more
    assert path.exists()
    second.release(remove=True)


def test_a_file_system_without_locks_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", no_locks)
    FileLock(tmp_path / "x.lock", tmp_path).release(remove=True)


def test_a_folder_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileLock(tmp_path / "none" / "x.lock", tmp_path, 60.0)


def test_a_file_that_a_killed_process_left_locked_is_edited(tmp_path: Path) -> None:
    (tmp_path / "file.lock").touch()
    with edit_lines(tmp_path / "file") as lines:
        lines.append("x\n")
    assert (tmp_path / "file").read_text() == "x\n" and len(list(tmp_path.iterdir())) == 1


def test_writers_wait_for_each_other(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def add(number: int) -> None:
        with edit_lines(path) as lines:
            time.sleep(0.002)
            lines.append(f"{number}\n")

    threads = [threading.Thread(target=add, args=(n,)) for n in range(20)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(map(int, path.read_text().split())) == list(range(20))
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_file_without_a_last_newline_keeps_its_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with edit_lines(tmp_path / "file") as lines:
        lines.append("new\n")
    assert (tmp_path / "file").read_text() == "old\nnew\n"


def test_a_failed_change_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old\n")
    with pytest.raises(RuntimeError), edit_lines(path) as lines:
        lines[:] = ["new\n"]
        raise RuntimeError
    assert path.read_text() == "old\n"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
