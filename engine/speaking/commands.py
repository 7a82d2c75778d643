"""`speak NAME`: one take, or a resident speaker with --serve. Flags come from the table."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from engine.contract.params import PARAMS
from engine.contract.problem import Problem
from engine.speaking.arguments import add_studio, open_studio

NAME = "speak"
HELP = "speak a text with a trained voice; with --serve, answer JSON lines on standard input"

_GROUP = "infer."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_studio(parser)
    parser.add_argument("--out", type=Path, help="also write the wav here")
    parser.add_argument(
        "--precision", default="fp32", choices=("fp32", "bf16", "int8"),
        help="number format; fewer bits speak faster on a CPU and round a little",
    )  # fmt: skip
    parser.add_argument("--serve", action="store_true", help="stay and answer JSON lines")
    parser.add_argument("--idle", type=float, default=900.0, metavar="SECONDS",
                        help="with --serve: end after so long without a line")  # fmt: skip
    for param in PARAMS.values():
        if param.group + "." == _GROUP:
            parser.add_argument(
                "--" + param.name.removeprefix(_GROUP).replace("_", "-"),
                dest=param.name,
                action="append" if param.kind == "paths" else "store",
                metavar=param.kind.upper(),
                help=f"{param.help.en} {param.range_text()}".strip().replace("%", "%%"),
            )


def run(args: argparse.Namespace) -> int:
    from engine.speaking.service import Service

    studio, device = open_studio(args)
    service = Service(studio, device, studio.listener(args.asr, device), args.precision)
    given = {
        name.removeprefix(_GROUP): value
        for name, value in vars(args).items()
        if name.startswith(_GROUP) and value is not None
    }
    if args.serve:
        return _serve(service, given, args.idle)
    return _speak_once(service, given, args)


def _serve(service: Any, given: dict[str, Any], idle: float) -> int:
    # Libraries print what they like; the pipe belongs to the answers alone, and to the end of
    # the process, so the real standard output is set aside.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def send(event: dict[str, Any]) -> None:
        line = memoryview(json.dumps(event, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        while line:
            line = line[answers.write(line) :]

    from engine.speaking.lifeline import Lifeline
    from engine.speaking.pipe import answer_lines, told

    lifeline = Lifeline(sys.stdin.fileno(), idle)
    try:
        try:
            service.load(given.get("gpt_weight"), given.get("sovits_weight"))
        except Problem as problem:
            send(told(problem))
            return int(problem.exit_code)
        answer_lines(service, lifeline, send, lifeline.wants)
    except BrokenPipeError:
        return 0  # the caller is gone, so there is nobody to tell
    return 0


def _speak_once(service: Any, given: dict[str, Any], args: argparse.Namespace) -> int:
    lengths: list[float] = []

    def on_piece(piece: Any) -> None:
        lengths.append(piece.seconds)
        if args.json:
            print(json.dumps({"event": "piece", **piece.facts()}, ensure_ascii=False), flush=True)
        else:
            print(f"{piece.seconds:6.2f} s  {piece.text}", file=sys.stderr, flush=True)

    path, seed = service.speak(given, on_piece)
    if args.out is not None:
        from engine.runtime.durable import write_atomic

        write_atomic(args.out, path.read_bytes())
    wav = path.relative_to(service.studio.work).as_posix()
    seconds = round(sum(lengths), 3)
    if args.json:
        done = {"event": "done", "wav": wav, "seconds": seconds, "seed": seed}
        print(json.dumps(done, ensure_ascii=False))
    else:
        print(f"{wav}  {seconds:.2f} s  seed {seed}")
    return 0
