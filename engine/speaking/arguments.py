"""Arguments that every command that speaks has: which voice, and what it is spoken with."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.speaking.studio import Studio


def add_studio(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("voice", help="name of the voice")
    parser.add_argument("--work", type=Path, default=Path(), help="work folder (default: here)")
    parser.add_argument("--pretrained", help="set below pretrained/ whose encoders to use")
    parser.add_argument("--device", default="auto", choices=("auto", "cuda", "cpu"))
    parser.add_argument(
        "--asr", type=Path,
        help="Whisper model folder, to find lost words (default: pretrained/faster-whisper)",
    )  # fmt: skip
    parser.add_argument(
        "--words", type=Path, help="your own readings (default: data/NAME/words.txt)"
    )
    parser.add_argument(
        "--g2pw", type=Path,
        help="g2pW model folder, for Chinese readings (default: pretrained/G2PWModel)",
    )  # fmt: skip


def open_studio(args: argparse.Namespace) -> tuple[Studio, str]:
    """The studio, and the device to speak on; what could not be used is said on stderr."""
    from engine.cli import remark
    from engine.runtime.device import choose
    from engine.speaking.studio import Studio
    from engine.text.aids import open_polyphones

    studio = Studio(args.work, args.voice, args.pretrained, words=args.words)
    studio.polyphones, notice = open_polyphones(studio.layout, args.g2pw)
    remark(notice)
    return studio, str(choose(args.device).torch)
