"""Run as a program with a sample rate: plays 16-bit mono samples from standard input to their end.

Says READY on stdout once the device is open; exits with 1 when there is none.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Generator
from typing import Any

READY = b"ready"
_DEVICE_BUFFER_S = 0.3  # what the device still holds when the last samples were handed over


def play(rate: int) -> None:
    """Play standard input; miniaudio's own errors pass through."""
    import miniaudio

    finished = threading.Event()
    waiting = bytearray()
    ended = threading.Event()
    lock = threading.Lock()

    def read() -> None:
        while data := os.read(sys.stdin.fileno(), 1 << 14):
            with lock:
                waiting.extend(data)
        ended.set()

    def samples_until_end() -> Generator[Any, int, None]:
        frame_count = yield b""
        while True:
            was_last = ended.is_set()
            with lock:
                data = bytes(waiting[: 2 * frame_count])
                del waiting[: len(data)]
            if was_last and not data:
                finished.set()
                return
            # Silence where nothing has come yet: the device must not wait.
            frame_count = yield data.ljust(2 * frame_count, b"\0")

    source = samples_until_end()
    next(source)
    threading.Thread(target=read, daemon=True).start()
    with miniaudio.PlaybackDevice(
        output_format=miniaudio.SampleFormat.SIGNED16, nchannels=1, sample_rate=rate
    ) as device:
        if device.backend == "Null":  # plays to nobody: let another player try
            raise miniaudio.MiniaudioError("no sound device")
        device.start(source)
        sys.stdout.buffer.write(READY + b"\n")
        sys.stdout.buffer.flush()
        finished.wait()
        threading.Event().wait(_DEVICE_BUFFER_S)


def main() -> int:
    """Play at the rate named in argv; 1 when there is no device."""
    import miniaudio

    try:
        play(int(sys.argv[1]))
    except (miniaudio.MiniaudioError, OSError):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
