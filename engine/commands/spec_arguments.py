"""Arguments of the single-stage commands, turned into a spec of their own run."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from engine.contract.layout import Layout
from engine.contract.params import check
from engine.contract.problem import ExitCode, Problem
from engine.contract.spec import PRESETS, RunSpec


def add_spec_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("voice", help="name of the voice")
    parser.add_argument("--work", type=Path, default=Path(), help="work folder (default: here)")
    parser.add_argument("--list", dest="list_file", default="", help="below the work folder")
    parser.add_argument("--wavs", dest="wav_folder", default="", help="below the work folder")
    parser.add_argument("--preset", choices=PRESETS, default="v2", help="size of the model")
    parser.add_argument("--pretrained", help="set below pretrained/ (default: from nothing)")
    parser.add_argument(
        "--set", dest="params", action="append", default=[], metavar="NAME=VALUE",
        help="a parameter, e.g. sovits.epochs=8; may be repeated",
    )  # fmt: skip


def make_spec(args: argparse.Namespace, stages: tuple[str, ...]) -> RunSpec:
    """The spec the arguments ask for, validated, written nowhere."""
    params: dict[str, Any] = {}
    for pair in args.params:
        name, sign, value = pair.partition("=")
        if not sign:
            raise Problem("engine.run.not_a_pair", ExitCode.CONFIG, pair=pair)
        params[name] = check(name, value)
    run = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{'-'.join(stages)}"
    spec = RunSpec(
        run, args.voice, args.preset, args.list_file, args.wav_folder, stages, params,
        args.pretrained,
    )  # fmt: skip
    spec.validate()
    return spec


def write_spec(args: argparse.Namespace, stages: tuple[str, ...]) -> Path:
    """Write runs/ID/spec.json for the stages and return it."""
    spec = make_spec(args, stages)
    path = Path(Layout.at(args.work.resolve().as_posix()).run(spec.run).spec)
    path.parent.mkdir(parents=True)
    path.write_text(spec.to_json(), encoding="utf-8")
    return path
