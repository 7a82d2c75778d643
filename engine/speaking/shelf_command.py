"""`shelf NAME`: what a voice can speak with, and taking in a recording as a reference."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

NAME = "shelf"
HELP = "list weights and reference clips of a voice; with --lend, take a recording in"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("voice", help="name of the voice")
    parser.add_argument("--work", type=Path, default=Path(), help="work folder (default: here)")
    parser.add_argument("--lend", type=Path, metavar="FILE", help="a recording to imitate")
    parser.add_argument("--window", type=float, nargs=2, metavar=("START", "END"),
                        help="seconds of the recording to keep")  # fmt: skip
    parser.add_argument("--trim", action="store_true", help="keep the best stretch of a long one")
    parser.add_argument("--ref-text", default="", help="what is said in it")
    parser.add_argument("--ref-lang", default="", help="language of --ref-text")


def run(args: argparse.Namespace) -> int:
    from engine.speaking.shelf import lend, shelf
    from engine.speaking.studio import Studio

    studio = Studio(args.work, args.voice)
    if args.lend is not None:
        window = None if args.window is None else (args.window[0], args.window[1])
        row = lend(
            studio, args.lend, window=window, trim=args.trim,
            text=args.ref_text, language=args.ref_lang,
        )  # fmt: skip
        print(json.dumps({"lent": row}, ensure_ascii=False) if args.json else row["path"])
        return 0
    found = shelf(studio)
    if args.json:
        print(json.dumps(found, ensure_ascii=False))
        return 0
    for kind in ("gpt", "sovits"):
        for weight in found[kind]:
            print(f"{kind}  {weight['name']}")
    for clip in found["references"]:
        print(f"{clip['seconds']:6.2f} s  {clip['path']}  {clip['text']}")
    return 0
