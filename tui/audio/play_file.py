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
_DEVICE_BUFFER_S = 0.3  # what the device still holds when the last samples were handed over


def play(path: str) -> None:
    """Play wav, flac, mp3 or ogg; miniaudio's own errors pass through."""
    import miniaudio

    finished = threading.Event()
    stream = miniaudio.stream_file(path)

    def samples_until_end() -> Generator[Any, int, None]:
        frame_count = yield b""
        try:
            while True:
                frame_count = yield stream.send(frame_count)
        except StopIteration:
            finished.set()

    source = samples_until_end()
    next(source)
    with miniaudio.PlaybackDevice() as device:
        if device.backend == "Null":  # plays to nobody: let another player try
            raise miniaudio.MiniaudioError("no sound device")
        device.start(source)
        sys.stdout.buffer.write(READY + b"\n")
        sys.stdout.buffer.flush()
        finished.wait()
        threading.Event().wait(_DEVICE_BUFFER_S)


def main() -> int:
    """Play the file named in argv; 1 when there is no device or the file cannot be read."""
    import miniaudio

    try:
        play(sys.argv[1])
    except (miniaudio.MiniaudioError, OSError):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
