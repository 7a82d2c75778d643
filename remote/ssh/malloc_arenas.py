"""Where freed memory goes: one place for all threads, so that watching for long stays small."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

_M_ARENA_MAX = -8  # malloc.h of glibc


@cache
def use_one_malloc_arena() -> bool:
    """Let all threads of this process share one arena of glibc's malloc; False where it is another.

    Each of hundreds of threads would otherwise keep an arena with what it freed: connections that
    come and go cost half a megabyte a minute then, with no object more. Before the first thread.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return mallopt is not None and mallopt(_M_ARENA_MAX, 1) == 1
