"""`pack NAME`: the voice as one zip."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.params import PARAMS
from sovdeck.engine.voice.pack import pack_voice

NAME = "pack"
HELP = "write packs/NAME.zip: weights, reference, proof, and a manifest with every hash"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pack`."""
    contents = PARAMS["pack.contents"]
    parser.add_argument("voice", help="name of the voice")
    parser.add_argument(
        "--contents",
        choices=contents.choices,
        help=f"{contents.help.en} (default: as in the zip that is there)",
    )
    parser.add_argument("--work", type=Path, default=Path(), help="work folder (default: here)")


def run(args: argparse.Namespace) -> int:
    """Write the zip and print its path, size and SHA-256."""
    work = args.work.resolve()
    packed = pack_voice(Layout.at(work.as_posix()), args.voice, args.contents)
    path = packed.path.relative_to(work).as_posix()
    facts = {"path": path, "bytes": packed.bytes, "sha256": packed.sha256}
    if args.json:
        print(json.dumps({"status": "succeeded", **facts, "files": list(packed.files)}))
    else:
        print(f"{path}  {packed.bytes} bytes  sha256 {packed.sha256}")
    return 0
