"""`speak NAME`: one take, or a resident TTS process with --serve. Flags come from PARAMS."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sovdeck.engine.contract.atomic_io import write_atomic
from sovdeck.engine.contract.number_options import amount
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.speaking.arguments import (
    add_infer_arguments,
    add_precision_argument,
    add_voice_arguments,
    given_infer_params,
    open_voice_loader,
)
from sovdeck.engine.speaking.stdin_reader import StdinReader

if TYPE_CHECKING:
    from sovdeck.engine.speaking.service import SpeechService
    from sovdeck.engine.speaking.takes import SpokenChunk

NAME = "speak"
HELP = "speak a text with a trained voice; with --serve, answer JSON lines on standard input"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `speak`."""
    add_voice_arguments(parser)
    parser.add_argument("--out", type=Path, help="also write the wav here")
    add_precision_argument(parser)
    parser.add_argument("--serve", action="store_true", help="stay and answer JSON lines")
    parser.add_argument(
        "--idle",
        type=amount(0, 1e7),
        default=900.0,
        metavar="SECONDS",
        help="with --serve: end after so long without a line",
    )
    add_infer_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Speak one text, or answer JSON lines with --serve."""
    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.speaking.service import SpeechService

    loader, device = open_voice_loader(args)
    service = SpeechService(
        loader, device, loader.open_recogniser(args.asr, device), args.precision
    )
    params = given_infer_params(args)
    if args.serve:
        return _serve_stdio(service, params, args.idle)
    return _speak_once(service, params, args)


def _serve_stdio(service: SpeechService, params: dict[str, Any], idle: float) -> int:
    # Libraries print what they like; the pipe belongs to the answers alone, and to the end of
    # the process, so the real standard output is set aside.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def send(event: dict[str, Any]) -> None:
        line = memoryview(json.dumps(event, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        while line:
            line = line[answers.write(line) :]

    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.speaking.stdio_server import error_event, serve_lines

    stdin_reader = StdinReader(sys.stdin.fileno(), idle)
    try:
        service.loader.on_step = lambda step: send({"event": "loading", "step": step})
        try:
            service.load(params.get("gpt_weight"), params.get("sovits_weight"))
        except Problem as problem:
            send(error_event(problem))
            return int(problem.exit_code)
        serve_lines(service, stdin_reader, send, stdin_reader.is_wanted)
    except BrokenPipeError:
        return 0  # the caller is gone, so nobody reads an error
    return 0


def _speak_once(service: SpeechService, params: dict[str, Any], args: argparse.Namespace) -> int:
    from sovdeck.engine.runtime.console import print_notice

    lengths: list[float] = []

    def on_chunk(chunk: SpokenChunk) -> None:
        lengths.append(chunk.seconds)
        if args.json:
            print(json.dumps({"event": "piece", **chunk.facts()}, ensure_ascii=False), flush=True)
        else:
            print(f"{chunk.seconds:6.2f} s  {chunk.text}", file=sys.stderr, flush=True)

    path, take = service.speak(params, on_chunk)
    for notice in take.notices:
        print_notice(notice)
    if args.out is not None:
        write_atomic(args.out, path.read_bytes())
    wav = path.relative_to(service.loader.work).as_posix()
    seconds = round(sum(lengths), 3)
    if args.json:
        done = {
            "event": "done",
            "wav": wav,
            "seconds": seconds,
            "seed": take.seed,
            "unread": [one.as_json() for one in take.lost],
            "notices": [notice.as_json() for notice in take.notices],
        }
        print(json.dumps(done, ensure_ascii=False))
    else:
        print(f"{wav}  {seconds:.2f} s  seed {take.seed}")
    return 0
