"""Run as a program with one sound file: plays it to its end.

Says READY on stdout once the device has taken the first samples; exits with 1 when there is no
device or the file cannot be read, so that the caller tries another player.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator
from typing import Any

READY = b"ready"
_AFTER_S = 0.3  # what the device still holds when the last samples were handed over


def play(path: str) -> None:
    """Play wav, flac, mp3 or ogg; miniaudio's own errors pass through."""
    import miniaudio

    over = threading.Event()
    stream = miniaudio.stream_file(path)

    def until_over() -> Generator[Any, int, None]:
        wanted = yield b""
        try:
            while True:
                wanted = yield stream.send(wanted)
        except StopIteration:
            over.set()

    source = until_over()
    next(source)
    with miniaudio.PlaybackDevice() as device:
        if device.backend == "Null":  # plays to nobody: let another player try
            raise miniaudio.MiniaudioError("no sound device")
        device.start(source)
        sys.stdout.buffer.write(READY + b"\n")
        sys.stdout.buffer.flush()
        over.wait()
        threading.Event().wait(_AFTER_S)


def main() -> int:
    import miniaudio

    try:
        play(sys.argv[1])
    except (miniaudio.MiniaudioError, OSError):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
