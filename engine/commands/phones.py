"""`phones`: how a text will be read, before anything is spoken."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sovdeck.engine.contract.problem import ExitCode, Problem

if TYPE_CHECKING:
    from sovdeck.engine.text.lexicon import Lexicon
    from sovdeck.engine.text.reader import Reading

NAME = "phones"
HELP = "show how a text is read: pieces, plain writing, phones, and characters without a sound"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "text", nargs="?", help="the text (default: lines of language<TAB>text on standard input)"
    )
    parser.add_argument("--text", dest="text_option", help="the text, where it begins with a dash")
    parser.add_argument("--language", default="auto", help="language mode of TEXT (default: auto)")
    parser.add_argument("--words", type=Path, help="your own readings, such as data/NAME/words.txt")
    parser.add_argument("--voice", help="read with this voice's words.txt and g2pW model")
    parser.add_argument("--work", type=Path, default=Path(), help="work folder of --voice")


def run(args: argparse.Namespace) -> int:
    """Read one text, or each line of standard input.

    A text of which nothing can be read exits with DATA; a line on standard input never does.
    """
    lexicon = _open_lexicon(args)
    text = args.text if args.text is not None else args.text_option
    if text is not None:
        return _print_text(text, args.language, lexicon, args.json)
    for number, line in enumerate(sys.stdin.buffer, 1):
        written = line.decode("utf-8", "replace").rstrip("\r\n")
        if written:
            _print_line(number, written, lexicon)
    return 0


def _open_lexicon(args: argparse.Namespace) -> Lexicon:
    from sovdeck.engine.contract.layout import Layout
    from sovdeck.engine.text.lexicon import Lexicon
    from sovdeck.engine.text.open_lexicon import open_lexicon, open_polyphones

    if args.voice:
        layout = Layout.at(args.work.resolve().as_posix())
        return open_lexicon(layout, args.voice, open_polyphones(layout)[0], args.words)
    return Lexicon.load(args.words) if args.words else Lexicon()


def _print_text(text: str, language: str, lexicon: Lexicon, as_json: bool) -> int:
    """Show one text; what says that nothing of it can be read stands in the same object."""
    from sovdeck.engine.text.reader import read_text, unreadable_problem

    reading = read_text(text, language, lexicon)
    code = ExitCode.DATA if reading.is_silent else ExitCode.OK
    if as_json:
        problem = unreadable_problem(text, language).as_json() if reading.is_silent else {}
        failed = {"exit_code": int(code)} if reading.is_silent else {}
        _print_json({**reading.as_json(), **failed, **problem})
    else:
        print("\n".join(_lines(reading, text, language)))
    return int(code)


def _print_line(number: int, line: str, lexicon: Lexicon) -> None:
    """Answer one line of input with one line of JSON; a fault costs only its own line."""
    from sovdeck.engine.text.reader import read_text

    language, tab, text = line.partition("\t")
    try:
        if not tab:
            raise Problem("engine.text.bad_line", ExitCode.DATA, line=number)
        _print_json(read_text(text, language, lexicon).as_json())
    except Problem as problem:
        _print_json({"error": problem.as_json()})


def _print_json(answer: dict[str, Any]) -> None:
    written = json.dumps(answer, ensure_ascii=False)
    # A lone surrogate of the text is no character that UTF-8 can carry.
    print(written.encode("utf-8", "replace").decode("utf-8"), flush=True)


def _lines(reading: Reading, text: str, language: str) -> list[str]:
    from sovdeck.engine.runtime.console import output_language
    from sovdeck.engine.text.reader import describe_guess, describe_lost, unreadable_problem

    lines = [
        f"{piece.language}  {piece.text}\n    {' '.join(piece.phones.phones)}"
        for piece in reading.pieces
    ]
    if reading.is_silent:
        lines.append(unreadable_problem(text, language).sentence(output_language()))
    elif notice := describe_lost(reading.lost):
        lines.append(notice.sentence(output_language()))
    if guess := describe_guess(text, language):
        lines.append(guess.sentence(output_language()))
    return lines
