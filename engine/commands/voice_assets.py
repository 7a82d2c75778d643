"""`voice-assets NAME`: the weights and references of a voice; adding and naming clips."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from sovdeck.engine.contract.number_options import amount

NAME = "voice-assets"
HELP = "list weights and reference clips of a voice; add a recording, or name a clip"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `voice-assets`."""
    parser.add_argument("voice", help="name of the voice")
    parser.add_argument("--work", type=Path, default=Path(), help="work folder (default: here)")
    parser.add_argument("--add-reference", type=Path, metavar="FILE", help="a recording to imitate")
    parser.add_argument(
        "--name-reference", type=Path, metavar="FILE", help="a clip of the voice to be named"
    )
    parser.add_argument("--name", default="", help="what requests call it: VOICE:NAME")
    parser.add_argument(
        "--window",
        type=amount(0, 1e6),
        nargs=2,
        metavar=("START", "END"),
        help="seconds of the recording to keep",
    )
    parser.add_argument("--trim", action="store_true", help="keep the best stretch of a long one")
    parser.add_argument("--ref-text", default="", help="what is said in it")
    parser.add_argument("--ref-lang", default="", help="language of --ref-text")


def run(args: argparse.Namespace) -> int:
    """Add a recording, name one, or list the assets."""
    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.speaking.voice_assets import (
        add_reference,
        list_voice_assets,
        name_reference,
    )
    from sovdeck.engine.speaking.voice_loader import VoiceLoader

    loader = VoiceLoader(args.work, args.voice)
    row = None
    if args.name_reference is not None:
        row = name_reference(loader, args.name_reference, args.name)
    elif args.add_reference is not None:
        window = None if args.window is None else (args.window[0], args.window[1])
        row = add_reference(
            loader,
            args.add_reference,
            window=window,
            trim=args.trim,
            text=args.ref_text,
            language=args.ref_lang,
            name=args.name,
        )
    if row is not None:
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
        name = f"  {clip['name']}" if clip["name"] else ""
        print(f"{clip['seconds']:6.2f} s  {clip['path']}{name}  {clip['text']}")
    return 0
