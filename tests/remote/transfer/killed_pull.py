"""A pull in a process of its own that kills itself with SIGKILL at a given byte.

python killed_pull.py SERVER_FOLDER LAPTOP_FOLDER NAME BYTE
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from pipe_server import QUICK, LocalLink, Server

from sovdeck.remote.transfer.download.file import pull


def main(home: str, laptop: str, name: str, at: str) -> None:
    server = Server(Path(home))

    def weather(link: LocalLink, total: int) -> None:
        if server.weather.received >= int(at):
            for each in server.weather.links:  # our own children, which play the server
                for stream in each.streams:
                    stream.process.kill()
            os.kill(os.getpid(), signal.SIGKILL)

    server.weather.on_bytes = weather
    how: Any = {"report": lambda p: None, "cancel": threading.Event(), "tuning": QUICK}
    pull(server.connect, name, Path(laptop), **how)


if __name__ == "__main__":
    main(*sys.argv[1:])
