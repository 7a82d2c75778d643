"""How long clients of a served voice wait while others leave in the middle, against none leaving.

    python -m benchmarks.serve_load [--seconds 600] [--clients 16] [--json]

A tiny untrained voice behind the real endpoints, on one CPU thread. Two loads of equal length in
one run: every client stays; then half of them leave at random moments before their answer ends.
Reported are the waits of clients that stay, and the ratio of their 95th percentiles: 1 means that
leaving clients cost the others nothing. The voice's speed does not matter for the ratio.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import uvicorn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from tiny_voice import VOICE, make_voice, tiny_models

from sovdeck.engine.commands.serve import bind_loopback
from sovdeck.engine.speaking.http.app import build_app
from sovdeck.engine.speaking.service import SpeechService
from sovdeck.engine.speaking.voice_loader import VoiceLoader
from sovdeck.engine.speaking.voice_pool import VoicePool

TEXT = "はいどうも。お茶をどうぞ。"
LONGEST_STAY_S = 2.0  # of a client that leaves


class Load:
    """Clients that ask one request after the other until the time is over."""

    def __init__(self, port: int, clients: int, leavers: int, seconds: float) -> None:
        self.waits: list[float] = []
        self.refused = 0
        self.left = 0
        self._port = port
        self._until = time.monotonic() + seconds
        threads = [
            threading.Thread(target=self._ask_on, args=(number, number < leavers))
            for number in range(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _ask_on(self, number: int, leaves: bool) -> None:
        draw = random.Random(number)
        body = json.dumps({"text": TEXT, "media_type": "raw"}).encode()
        head = (
            f"POST /tts HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: client {number}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        while time.monotonic() < self._until:
            started = time.monotonic()
            with socket.create_connection(("127.0.0.1", self._port)) as connection:
                connection.sendall(head.encode() + body)
                if leaves:
                    time.sleep(draw.uniform(0, LONGEST_STAY_S))
                    self.left += 1
                    continue
                answer = b""
                while data := connection.recv(1 << 16):
                    answer += data
            if answer.startswith(b"HTTP/1.1 200"):
                self.waits.append(time.monotonic() - started)
            else:
                self.refused += 1

    def figures(self) -> dict[str, Any]:
        """Waits of those that stayed, in seconds."""
        p50, p95 = np.percentile(self.waits, [50, 95])
        return {
            "answers": len(self.waits),
            "median s": round(float(p50), 3),
            "p95 s": round(float(p95), 3),
            "left": self.left,
            "refused": self.refused,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600, help="of each of the two loads")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        work = make_voice(Path(folder) / "work", tiny_models())
        service = SpeechService(VoiceLoader(work, VOICE), kept_bytes=10**7)
        service.load()
        voices = VoicePool(lambda _: service, lambda: [VOICE], VOICE)
        listener = bind_loopback(0)
        server = uvicorn.Server(uvicorn.Config(build_app(voices), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        port = listener.getsockname()[1]
        Load(port, 1, 0, 2.0)  # dictionaries are read by the first request
        stays = Load(port, args.clients, 0, args.seconds)
        leaves = Load(port, args.clients, args.clients // 2, args.seconds)
        server.should_exit = True
        thread.join()
    report = {"nobody leaves": stays.figures(), "half leave": leaves.figures()}
    ratio = report["half leave"]["p95 s"] / report["nobody leaves"]["p95 s"]
    report["p95, times nobody leaving"] = round(ratio, 2)
    if args.json:
        print(json.dumps(report))
        return
    for name, figures in report.items():
        print(f"{name:26} {figures}")


if __name__ == "__main__":
    main()
