"""Arguments of every command that speaks: the voice, its encoders, the device."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sovdeck.engine.contract.params import PARAMS
from sovdeck.engine.runtime.console import print_notice

if TYPE_CHECKING:
    from sovdeck.engine.speaking.voice_loader import VoiceLoader

_GROUP = "infer."


def add_voice_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that `open_voice_loader` reads."""
    parser.add_argument("voice", help="name of the voice")
    parser.add_argument("--work", type=Path, default=Path(), help="work folder (default: here)")
    parser.add_argument("--pretrained", help="set below pretrained/ whose encoders to use")
    parser.add_argument("--device", default="auto", choices=("auto", "cuda", "cpu"))
    parser.add_argument(
        "--asr",
        type=Path,
        help="Whisper model folder, to find lost words (default: pretrained/faster-whisper)",
    )
    parser.add_argument(
        "--words", type=Path, help="your own readings (default: data/NAME/words.txt)"
    )
    parser.add_argument(
        "--g2pw",
        type=Path,
        help="g2pW model folder, for Chinese readings (default: pretrained/G2PWModel)",
    )


def add_precision_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the number format that a pair is loaded in."""
    parser.add_argument(
        "--precision",
        default="fp32",
        choices=("fp32", "bf16", "int8"),
        help="number format; fewer bits speak faster on a CPU and round a little",
    )


def add_infer_arguments(parser: argparse.ArgumentParser, without: Collection[str] = ()) -> None:
    """Declare a flag for each parameter of speaking but those `without`, named without group."""
    for param in PARAMS.values():
        name = param.name.removeprefix(_GROUP)
        if name != param.name and name not in without:
            parser.add_argument(
                "--" + name.replace("_", "-"),
                dest=param.name,
                action="append" if param.kind == "paths" else "store",
                metavar=param.kind.upper(),
                help=f"{param.help.en} {param.range_text()}".strip().replace("%", "%%"),
            )


def given_infer_params(args: argparse.Namespace) -> dict[str, Any]:
    """The parameters of speaking that were given, by their names without group."""
    return {
        name.removeprefix(_GROUP): value
        for name, value in vars(args).items()
        if name.startswith(_GROUP) and value is not None
    }


def open_voice_loader(args: argparse.Namespace) -> tuple[VoiceLoader, str]:
    """Return the voice loader and the torch device; what cannot be used is noted on stderr.

    Problem for a GPU that torch cannot see: on the CPU one would wait and not know why.
    """
    # Here: these import torch, which takes seconds, and `--help` must answer at once.
    from sovdeck.engine.runtime.device import choose_device, refuse_unseen_gpu
    from sovdeck.engine.speaking.voice_loader import VoiceLoader
    from sovdeck.engine.text.open_lexicon import open_polyphones

    refuse_unseen_gpu(args.device, "engine.speaking.gpu_unseen")
    loader = VoiceLoader(args.work, args.voice, args.pretrained, words_file=args.words)
    loader.polyphones, notice = open_polyphones(loader.layout, args.g2pw)
    print_notice(notice)
    return loader, str(choose_device(args.device).torch_device)
