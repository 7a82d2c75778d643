"""`books NAME`: the books that a voice has read here, with the sentences to listen to."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from sovdeck.engine.contract.layout import check_voice_name
from sovdeck.engine.speaking.book.reading_record import list_readings

NAME = "books"
HELP = "list the books a voice has read, and their doubtful sentences"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `books`."""
    parser.add_argument("voice", help="name of the voice")
    parser.add_argument("--work", type=Path, default=Path(), help="work folder (default: here)")


def run(args: argparse.Namespace) -> int:
    """Print a row for each book."""
    folder = args.work.resolve() / "takes" / check_voice_name(args.voice) / "books"
    for row in list_readings(folder):
        if args.json:
            print(json.dumps(row, ensure_ascii=False))
            continue
        print(f"{row['folder']}  {row['title']}  {row['count']} doubtful")
        for one in row["doubtful"]:
            print(f"  {one['sentence']}  {', '.join(one['doubts'])}  {one['text']}")
    return 0
