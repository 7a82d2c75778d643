"""Play a wav file from the command line."""

from __future__ import annotations

import time
from pathlib import Path

from sovdeck.tui.audio.player import ChildPlayer

PLAY_POLL_S = 0.2


def play_file(path: Path) -> None:
    """Play the file and return when it has ended; Problem when nothing can play it."""
    player = ChildPlayer()
    player.play(path)
    try:
        while player.playing is not None:
            time.sleep(PLAY_POLL_S)
    finally:
        player.stop()
