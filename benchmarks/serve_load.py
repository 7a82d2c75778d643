"""How long clients of a served voice wait while others leave in the middle, against none leaving.

    python -m benchmarks.serve_load [--minutes 10] [--clients 16] [--seed 0] [--json]

A tiny untrained voice behind the real endpoints, on one CPU thread. Two loads of equal length in
one run, in turns of half a minute so that other work on the machine meets both: every client
stays; and half of them leave at random moments before their answer ends. Reported are the waits of
clients that stay, and the ratio of their 95th percentiles: 1 means that leaving clients cost the
others nothing. The voice's speed does not matter for the ratio.
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
from sovdeck.engine.speaking.http.protocol import SpeechProtocol
from sovdeck.engine.speaking.service import SpeechService
from sovdeck.engine.speaking.voice_loader import VoiceLoader
from sovdeck.engine.speaking.voice_pool import VoicePool

TEXT = "はいどうも。お茶をどうぞ。"
LONGEST_STAY_S = 2.0  # of a client that leaves
TURN_S = 30.0


class Load:
    """Clients that ask one request after the other; `run` it for as long as is wanted."""

    def __init__(self, port: int, clients: int, leavers: int, seed: int) -> None:
        self.waits: list[float] = []
        self.refused = 0
        self.left = 0
        self._port, self._leavers = port, leavers
        self._draws = [random.Random(f"{seed} {number}") for number in range(clients)]
        self._until = 0.0

    def run(self, seconds: float) -> None:
        """Ask for so long; a request that was begun is heard to its end."""
        self._until = time.monotonic() + seconds
        threads = [
            threading.Thread(target=self._ask_on, args=(number, number < self._leavers))
            for number in range(len(self._draws))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _ask_on(self, number: int, leaves: bool) -> None:
        draw = self._draws[number]
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
    parser.add_argument("--minutes", type=float, default=10.0, help="of each of the two loads")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0, help="of the moments at which clients leave")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        work = make_voice(Path(folder) / "work", tiny_models())
        service = SpeechService(VoiceLoader(work, VOICE), kept_bytes=10**7)
        service.load()
        voices = VoicePool(lambda _: service, lambda: [VOICE], VOICE)
        listener = bind_loopback(0)
        server = uvicorn.Server(
            uvicorn.Config(build_app(voices), http=SpeechProtocol, log_level="error")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        port = listener.getsockname()[1]
        Load(port, 1, 0, args.seed).run(2.0)  # dictionaries are read by the first request
        stays = Load(port, args.clients, 0, args.seed)
        leaves = Load(port, args.clients, args.clients // 2, args.seed)
        turns = max(1, round(60 * args.minutes / TURN_S))
        for _ in range(turns):
            for load in (stays, leaves):
                load.run(60 * args.minutes / turns)
        server.should_exit = True
        thread.join()
    report: dict[str, Any] = {"nobody leaves": stays.figures(), "half leave": leaves.figures()}
    ratio = report["half leave"]["p95 s"] / report["nobody leaves"]["p95 s"]
    report["p95, times nobody leaving"] = round(ratio, 2)
    report |= {"clients": args.clients, "turns": turns, "seed": args.seed}
    if args.json:
        print(json.dumps(report))
        return
    for name, figures in report.items():
        print(f"{name:26} {figures}")


if __name__ == "__main__":
    main()
