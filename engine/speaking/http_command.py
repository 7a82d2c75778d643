"""`serve NAME`: the HTTP endpoints on the loopback address, for a forward from the laptop."""

from __future__ import annotations

import argparse
import json
import socket
import sys
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine.contract.problem import ExitCode, Problem
from engine.speaking.arguments import add_studio, open_studio

if TYPE_CHECKING:
    import uvicorn

NAME = "serve"
HELP = "answer OpenAI-style and api_v2-style speech requests on 127.0.0.1"

_ADDRESS = "127.0.0.1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_studio(parser)
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16", "int8"))
    parser.add_argument("--port", type=int, default=9880, help="0 takes a free one")
    parser.add_argument("--attached", type=float, metavar="SECONDS",
                        help="end with standard input, or so long after its last line")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    import uvicorn

    from engine.speaking.http import build
    from engine.speaking.lifeline import Lifeline
    from engine.speaking.service import Service

    listener = listen(args.port)
    studio, device = open_studio(args)
    service = Service(studio, device, studio.listener(args.asr, device), args.precision)
    service.load()
    port = listener.getsockname()[1]
    if args.json:
        print(json.dumps({"event": "listening", "address": _ADDRESS, "port": port}), flush=True)
    else:
        print(f"http://{_ADDRESS}:{port}/v1/audio/speech  voice {args.voice}", flush=True)
    config = uvicorn.Config(
        build(service), log_level="warning", access_log=False, timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    if args.attached is not None:
        caller = Lifeline(sys.stdin.fileno(), args.attached)
        threading.Thread(target=_end_with, args=(caller, server), daemon=True).start()
    server.run(sockets=[listener])
    return 0


def _end_with(caller: Iterable[str], server: uvicorn.Server) -> None:
    """Shut the server down when its caller is gone; the lines only say that it is there."""
    for _ in caller:
        pass
    server.should_exit = True


def listen(port: int) -> socket.socket:
    """A socket on the loopback address; Problem when the port is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_ADDRESS, port))
    except OSError as error:
        listener.close()
        why = error.strerror or str(error)
        raise Problem("engine.speaking.port", ExitCode.CONFIG, port=port, why=why) from error
    listener.listen(64)
    return listener
