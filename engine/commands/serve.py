"""`serve NAME`: the HTTP endpoints on the loopback address, for a forward from the laptop.

The other voices of the work folder are there as well, by their names.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sovdeck.engine.contract.number_options import PORT_RANGE, amount, whole
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.speaking.arguments import add_voice_arguments, open_voice_loader
from sovdeck.engine.speaking.stdin_reader import StdinReader

if TYPE_CHECKING:
    import uvicorn

    from sovdeck.engine.speaking.voice_pool import VoicePool

NAME = "serve"
HELP = "answer OpenAI-style and api_v2-style speech requests on 127.0.0.1"

_ADDRESS = "127.0.0.1"
_KEPT_TAKES_MB = 200.0
_LEAST_TOKEN = 16
_TOKEN_TIMEOUT_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `serve`."""
    add_voice_arguments(parser)
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16", "int8"))
    parser.add_argument("--port", type=whole(*PORT_RANGE), default=9880, help="0 takes a free one")
    parser.add_argument(
        "--attached",
        type=amount(0, 1e7),
        metavar="SECONDS",
        help="end with standard input, or so long after its last line",
    )
    parser.add_argument(
        "--on-demand", action="store_true", help="load NAME too when it is first asked for"
    )
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="a Host to answer"
    )
    parser.add_argument(
        "--allow-origin", action="append", default=[], metavar="URL", help="a web page to answer"
    )
    parser.add_argument(
        "--any-address", action="store_true", help="answer to every IP address; wants --token"
    )
    parser.add_argument(
        "--token",
        action="store_true",
        help="the first line of standard input is a token that requests must bring",
    )
    parser.add_argument(
        "--keep-takes",
        type=amount(0, 1e7),
        default=_KEPT_TAKES_MB,
        metavar="MB",
        help="how much the takes spoken here may fill, the oldest go (default: %(default)g)",
    )
    parser.add_argument(
        "--memory",
        type=amount(0.1, 10_000),
        metavar="GIB",
        help="weights kept loaded at most (default: half of what is free)",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted, or until the input ends with --attached."""
    # Here: torch and the web server take seconds to import, and `--help` must answer at once.
    import uvicorn

    from sovdeck.engine.speaking.http.access import AccessPolicy
    from sovdeck.engine.speaking.http.app import build_app
    from sovdeck.engine.speaking.http.protocol import SpeechProtocol

    stdin_reader = StdinReader(sys.stdin.fileno(), args.attached or _TOKEN_TIMEOUT_S)
    stdin_lines = iter(stdin_reader)
    token = _check_token(next(stdin_lines, "").strip()) if args.token else ""
    if args.any_address and not token:
        raise Problem("engine.http.short_token", ExitCode.CONFIG, least=_LEAST_TOKEN)
    policy = AccessPolicy.of(
        args.allow_host, args.allow_origin, any_address=args.any_address, token=token
    )
    server_socket = bind_loopback(args.port)
    voices = open_voices(args)
    if not args.on_demand:
        with voices.use(args.voice) as service:
            service.load()
    port = server_socket.getsockname()[1]
    if args.json:
        print(json.dumps({"event": "listening", "address": _ADDRESS, "port": port}), flush=True)
    else:
        print(f"http://{_ADDRESS}:{port}/v1/audio/speech  voice {args.voice}", flush=True)
    app = build_app(voices, policy)
    config = uvicorn.Config(
        app,
        http=SpeechProtocol,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    if args.attached is not None:
        threading.Thread(
            target=_stop_when_input_ends, args=(stdin_lines, server), daemon=True
        ).start()
    server.run(sockets=[server_socket])
    return 0


def open_voices(args: argparse.Namespace) -> VoicePool:
    """Open the voices of the work folder, none loaded yet; `args.voice` is the default one."""
    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.runtime.selected_weights import list_voices
    from sovdeck.engine.speaking.service import SpeechService
    from sovdeck.engine.speaking.voice_loader import VoiceLoader
    from sovdeck.engine.speaking.voice_pool import VoicePool

    loader, device = open_voice_loader(args)
    recogniser = loader.open_recogniser(args.asr, device)

    def open_service(voice: str) -> SpeechService:
        if voice == args.voice:
            mine = loader
        else:
            mine = VoiceLoader(
                args.work, voice, args.pretrained, args.words, encoders=loader.encoders
            )
            mine.polyphones = loader.polyphones
        return SpeechService(
            mine,
            device,
            recogniser,
            args.precision,
            takes_folder=mine.takes_folder / "serve",
            kept_bytes=int(args.keep_takes * 1e6),
        )

    budget = free_memory(device) // 2 if args.memory is None else int(args.memory * 2**30)
    return VoicePool(open_service, lambda: list_voices(loader.layout), args.voice, budget)


def free_memory(device: str) -> int:
    """Bytes that are free on the device now."""
    import psutil
    import torch

    if device.startswith("cuda"):
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def _check_token(token: str) -> str:
    """Return the token; Problem when anybody could guess it, or no header can hold it."""
    if len(token) < _LEAST_TOKEN or not all("!" <= sign <= "~" for sign in token):
        raise Problem("engine.http.short_token", ExitCode.CONFIG, least=_LEAST_TOKEN)
    return token


def _stop_when_input_ends(stdin_lines: Iterable[str], server: uvicorn.Server) -> None:
    """Shut the server down when its caller is gone; the lines only say that it is there."""
    for _ in stdin_lines:
        pass
    server.should_exit = True


def bind_loopback(port: int) -> socket.socket:
    """A socket on the loopback address; Problem when the port is taken."""
    server_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server_socket.bind((_ADDRESS, port))
    except OSError as error:
        server_socket.close()
        why = error.strerror or str(error)
        raise Problem("engine.speaking.port", ExitCode.CONFIG, port=port, why=why) from error
    server_socket.listen(64)
    return server_socket
