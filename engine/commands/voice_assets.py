"""`voice-assets NAME`: the weights and references of a voice; adding a reference clip."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

NAME = "voice-assets"
HELP = "list weights and reference clips of a voice; with --add-reference, add a recording"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `voice-assets`."""
    parser.add_argument("voice", help="name of the voice")
    parser.add_argument("--work", type=Path, default=Path(), help="work folder (default: here)")
    parser.add_argument("--add-reference", type=Path, metavar="FILE", help="a recording to imitate")
    parser.add_argument(
        "--window",
        type=float,
        nargs=2,
        metavar=("START", "END"),
        help="seconds of the recording to keep",
    )
    parser.add_argument("--trim", action="store_true", help="keep the best stretch of a long one")
    parser.add_argument("--ref-text", default="", help="what is said in it")
    parser.add_argument("--ref-lang", default="", help="language of --ref-text")


def run(args: argparse.Namespace) -> int:
    """Add a recording, or list the assets."""
    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.speaking.voice_assets import add_reference, list_voice_assets
    from sovdeck.engine.speaking.voice_loader import VoiceLoader

    loader = VoiceLoader(args.work, args.voice)
    if args.add_reference is not None:
        window = None if args.window is None else (args.window[0], args.window[1])
        row = add_reference(
            loader,
            args.add_reference,
            window=window,
            trim=args.trim,
            text=args.ref_text,
            language=args.ref_lang,
        )
        print(json.dumps({"reference": row}, ensure_ascii=False) if args.json else row["path"])
        return 0
    assets = list_voice_assets(loader)
    if args.json:
        print(json.dumps(assets, ensure_ascii=False))
        return 0
    for kind in ("gpt", "sovits"):
        for weight in assets[kind]:
            print(f"{kind}  {weight['name']}")
    for clip in assets["references"]:
        print(f"{clip['seconds']:6.2f} s  {clip['path']}  {clip['text']}")
    return 0
