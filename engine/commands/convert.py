"""`convert FROM TO`: our saved training states to upstream's checkpoints and back."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.runtime.console import output_language

NAME = "convert"
HELP = "turn a saved training state into GPT-SoVITS checkpoint files, or those into a state"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `convert`."""
    parser.add_argument(
        "source",
        type=Path,
        metavar="FROM",
        help="a folder logs/NAME/states/sovits or .../gpt (of v2Pro: states_v2Pro); or a file "
        "G_*.pth, *.ckpt",
    )
    parser.add_argument(
        "target",
        type=Path,
        metavar="TO",
        help="the folder for the files; or the folder logs/NAME/states/sovits or .../gpt",
    )
    parser.add_argument("--voice", metavar="NAME", help="also write the small weight to speak with")


def run(args: argparse.Namespace) -> int:
    """Convert a state or a checkpoint and print the written paths."""
    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.training.upstream_states import export_state, import_checkpoint

    if args.source.is_dir():
        converted = export_state(args.source, args.target, args.voice)
    else:
        converted = import_checkpoint(args.source, args.target)
    paths = [str(path) for path in converted.paths]
    lost = None if converted.lost is None else text(converted.lost)
    if args.json:
        note = None if lost is None else lost.as_json()
        print(json.dumps({"status": "succeeded", "paths": paths, "lost": note}))
        return 0
    for path in paths:
        print(path)
    if lost is not None:
        print(lost.get(output_language()))
    return 0
