"""`report`: what a dataset is worth."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from sovdeck.engine.contract.dataset.items import find_list_file
from sovdeck.engine.contract.dataset.report import make_report
from sovdeck.engine.runtime.console import output_language

NAME = "report"
HELP = "say what a dataset is worth: minutes, lengths, loudness, faults, texts that do not fit"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `report`."""
    parser.add_argument("path", type=Path, help="a .list file, or the folder of one")
    parser.add_argument("--wavs", type=Path, help="folder of the recordings")
    parser.add_argument("--strict", action="store_true", help="stop when there is any fault")


def run(args: argparse.Namespace) -> int:
    """Print the report; Problem with --strict when there is any fault."""
    # Here: this imports numpy, and `--help` must answer at once.
    from sovdeck.engine.prepare.measured_list import check_list
    from sovdeck.engine.text.lexicon import Lexicon
    from sovdeck.engine.text.reader import find_lost, transcript_mode

    source = find_list_file(args.path)
    words = source.parent / "words.txt"
    lexicon = Lexicon.load(words) if words.is_file() else Lexicon()

    def find_unread(text: str, language: str) -> list[tuple[str, int]]:
        lost = find_lost(text, transcript_mode(language), lexicon)
        return [(one.char, one.index) for one in lost]

    report = make_report(check_list(source, args.wavs, args.strict), find_unread)
    if args.json:
        print(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        print("\n".join(report.format_lines(output_language())))
    return 0
