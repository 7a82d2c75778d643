"""`report`: what a dataset is worth."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

NAME = "report"
HELP = "say what a dataset is worth: minutes, lengths, loudness, faults, texts that do not fit"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, help="a .list file, or the folder of one")
    parser.add_argument("--wavs", type=Path, help="folder of the recordings")
    parser.add_argument("--strict", action="store_true", help="stop when there is any fault")


def run(args: argparse.Namespace) -> int:
    from engine.cli import language
    from engine.contract.dataset.items import list_in
    from engine.contract.dataset.report import make_report
    from engine.prepare.manifest import check_list

    source = list_in(args.path)
    beside = source.parent / "wavs"
    wavs = args.wavs or (beside if beside.is_dir() else None)
    report = make_report(check_list(source, wavs, args.strict))
    if args.json:
        print(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        print("\n".join(report.lines(language())))
    return 0
