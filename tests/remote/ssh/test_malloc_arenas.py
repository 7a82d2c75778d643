"""Threads share one arena of malloc: what one freed, the next one uses."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

# Fifty threads at once, each with memory of its own; (whether it was set, arenas that malloc has).
COUNT = """
import ctypes, os, tempfile, threading, xml.etree.ElementTree as tree
from sovdeck.remote.ssh.malloc_arenas import use_one_malloc_arena
done = use_one_malloc_arena() if os.environ["ONE"] else None
together = threading.Barrier(50)
def work():
    kept = [bytes(600) for _ in range(2000)]
    together.wait()
threads = [threading.Thread(target=work) for _ in range(50)]
[one.start() for one in threads]
[one.join() for one in threads]
libc = ctypes.CDLL(None)
libc.fopen.restype, libc.fopen.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_char_p]
libc.malloc_info.argtypes, libc.fclose.argtypes = [ctypes.c_int, ctypes.c_void_p], [ctypes.c_void_p]
name = tempfile.mktemp()
file = libc.fopen(name.encode(), b"w")
libc.malloc_info(0, file)
libc.fclose(file)
print(done, len(tree.parse(name).findall("heap")))
os.unlink(name)
"""


def count_arenas(one: str) -> list[str]:
    environ = {**os.environ, "ONE": one}
    environ.pop("MALLOC_ARENA_MAX", None)
    argv = [sys.executable, "-c", COUNT]
    return subprocess.run(
        argv, env=environ, capture_output=True, text=True, check=True
    ).stdout.split()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc has arenas")
def test_all_threads_share_one_arena() -> None:
    assert count_arenas("yes") == ["True", "1"]
    assert int(count_arenas("")[1]) > 1  # what it would be


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    from sovdeck.remote.ssh import malloc_arenas

    monkeypatch.setattr(sys, "platform", "darwin")
    assert malloc_arenas.use_one_malloc_arena.__wrapped__() is False
