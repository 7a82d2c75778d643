"""A pull in a process of its own that kills itself with SIGKILL at a given byte.

python killed_pull.py SERVER_FOLDER LAPTOP_FOLDER NAME BYTE
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from pipe_server import QUICK, LocalLink, Server

from remote.transfer.pull import pull


def main(home: str, laptop: str, name: str, at: str) -> None:
    server = Server(Path(home))

    def weather(link: LocalLink, total: int) -> None:
        if server.weather.received >= int(at):
            for each in server.weather.links:  # our own children, which play the server
                for stream in each.streams:
                    stream.process.kill()
            os.kill(os.getpid(), signal.SIGKILL)

    server.weather.on_bytes = weather
    pull(server.connect, name, Path(laptop), report=lambda p: None, cancel=threading.Event(),
         tuning=QUICK)  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
