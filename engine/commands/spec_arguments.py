"""Arguments of the single-stage commands, turned into a spec of their own run."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.settings import parse_train_options
from sovdeck.engine.contract.spec import PRESETS, RunSpec


def add_spec_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that `make_spec` reads."""
    parser.add_argument("voice", help="name of the voice")
    parser.add_argument("--work", type=Path, default=Path(), help="work folder (default: here)")
    parser.add_argument("--list", dest="list_file", default="", help="below the work folder")
    parser.add_argument("--wavs", dest="wav_folder", default="", help="below the work folder")
    parser.add_argument(
        "--preset", choices=PRESETS, default=PRESETS[0], help="version or size of the network"
    )
    parser.add_argument("--pretrained", help="set below pretrained/ (default: from nothing)")
    parser.add_argument(
        "--set",
        dest="params",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter, e.g. sovits.epochs=8; may be repeated",
    )


def make_spec(args: argparse.Namespace, stages: tuple[str, ...]) -> RunSpec:
    """Make the validated spec that the arguments ask for; nothing is written."""
    run = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{'-'.join(stages)}"
    spec = RunSpec(
        run,
        args.voice,
        args.preset,
        args.list_file,
        args.wav_folder,
        stages,
        parse_train_options(args.params),
        args.pretrained,
    )
    spec.validate()
    return spec


def write_spec(args: argparse.Namespace, stages: tuple[str, ...]) -> Path:
    """Write runs/ID/spec.json for the stages and return it."""
    spec = make_spec(args, stages)
    path = Path(Layout.at(args.work.resolve().as_posix()).run(spec.run).spec)
    path.parent.mkdir(parents=True)
    path.write_text(spec.to_json(), encoding="utf-8")
    return path
