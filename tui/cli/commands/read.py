"""`sovdeck read [SERVER] [VOICE] BOOK`: a long text read aloud there, its chapters brought here."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.book.chapters import Book
from sovdeck.engine.contract.book.read_book import read_book
from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.format import format_duration
from sovdeck.engine.contract.number_options import whole
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.jobs.client import RunHandle
from sovdeck.remote.preflight.other_runs import beside_text, find_active_runs
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech import book_reading
from sovdeck.remote.speech.book_reading import BookEnd, BookOnServer, ChapterOfBook, SentenceOfBook
from sovdeck.remote.speech.takes import book_folder
from sovdeck.tui.cli.commands.speak import (
    add_engine_options,
    add_param_options,
    engine_options,
    speech_params,
)
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.parser import LocalizedParser
from sovdeck.tui.cli.server_argument import add_server_argument, open_session, require_voice
from sovdeck.tui.cli.transfer_output import cancel_on_interrupt, progress_reporter

NOT_OF_A_BOOK = ("infer.text", "infer.slice", "infer.rerender_last", "infer.early")
MAX_SHOWN_TEXT = 40
TABLE_HEADINGS = ("SENTENCE", "CHAPTER", "WHY", "TEXT", "HEARD")


def add_arguments(parser: LocalizedParser) -> None:
    """Add the options of `sovdeck read`."""
    add_server_argument(parser)
    parser.add_argument("voice", nargs="?", metavar="VOICE")
    parser.add_argument("book", nargs="?", type=Path, metavar="BOOK")
    parser.add_argument("--into", type=Path, metavar="FOLDER")
    parser.add_argument("--format", default="mp3", choices=("wav", "mp3"))
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--reference", metavar="NAME")
    parser.add_argument(
        "--redo", type=whole(1, 10_000_000), action="append", default=[], metavar="SENTENCE"
    )
    parser.add_argument(
        "--keep", type=whole(1, 10_000_000), action="append", default=[], metavar="SENTENCE"
    )
    parser.add_argument("--stop", action="store_true")
    add_engine_options(parser)
    add_param_options(parser, without=NOT_OF_A_BOOK)


def run(args: argparse.Namespace, console: Console) -> int:
    """Read the book, or stop reading it."""
    if args.book is None:
        raise Problem("tui.read.no_book", ExitCode.CONFIG)
    options = read_options(args)
    text_of_book = read_book(args.book)
    with open_session(args, console) as session, cancel_on_interrupt() as cancel:
        voice = require_voice(args, session)
        book = BookOnServer.of(session, voice, args.book)
        if args.stop:
            return stop_reading(session, book, console)
        print_book(text_of_book, console)
        folder = args.into or book_folder(session.outputs, voice, args.book)
        handle = find_or_start(session, book, options, args, console, cancel)
        end = follow_reading(session, book, handle, folder, console, cancel)
        return finish_reading(session, book, end, folder, console, cancel)


def read_options(args: argparse.Namespace) -> list[str]:
    """The options as arguments of `engine read`; Problem for a value out of range."""
    options = [*engine_options(args), "--format", args.format]
    options += ["--whole"] if args.whole else []
    options += [] if args.reference is None else [f"--reference={args.reference}"]
    options += [f"--redo={number}" for number in args.redo]
    options += [f"--keep={number}" for number in args.keep]
    for name, value in speech_params(args).items():
        for one in value if isinstance(value, tuple) else (value,):
            shown = ("on" if one else "off") if isinstance(one, bool) else one
            options.append(f"--{name.replace('_', '-')}={shown}")
    return options


def print_book(book: Book, console: Console) -> None:
    """Say what was found in the file."""
    facts = {"chapters": len(book.chapters), "sentences": book.sentence_count}
    console.print_message("tui.read.found", title=book.title, **facts)
    if book.encoding:
        words = next(book.sentences).text[:MAX_SHOWN_TEXT]
        console.print_message("tui.read.encoding", encoding=book.encoding, words=words)


def find_or_start(
    session: ServerSession,
    book: BookOnServer,
    options: list[str],
    args: argparse.Namespace,
    console: Console,
    cancel: threading.Event,
) -> RunHandle:
    """The job that reads this book: the one that goes on, else a new one."""
    facts = {"voice": book.voice, "server": session.name}
    handle = book_reading.find_running(session, book)
    if handle is not None:
        if args.redo or args.keep:
            raise Problem("tui.read.still_reading", ExitCode.CONFIG, server=session.name)
        console.print_message("tui.read.joined", **facts)
        return handle
    console.show_status(text("tui.cli.checking_run", server=session.name).get(console.language))
    book_reading.push_book(session, book, cancel)
    found = book_reading.check(session, book, options)
    if found.get("checks") is not True:
        console.print_message("tui.read.unchecked", server=session.name)
    for run in find_active_runs(session):
        console.print_line(beside_text(session, run).get(console.language))
    handle = book_reading.start(session, book, options)
    console.print_message("tui.read.started", **facts)
    return handle


def follow_reading(
    session: ServerSession,
    book: BookOnServer,
    handle: RunHandle,
    folder: Path,
    console: Console,
    cancel: threading.Event,
) -> BookEnd:
    """Show sentences as they are spoken, and bring each chapter here; the end of the reading."""
    report = progress_reporter(console)
    end: BookEnd | None = None
    for update in book_reading.follow(session, handle):
        if isinstance(update, SentenceOfBook):
            console.print_json({"event": "sentence", **vars(update)})
            console.show_progress(f"{update.number}/{update.of}  {update.text}")
            if update.fresh and update.attempts > 1:
                facts = {"number": update.number, "attempts": update.attempts}
                console.print_message("tui.read.again", **facts)
        elif isinstance(update, ChapterOfBook):
            paths = book_reading.fetch_chapter(session, book, update, folder, report, cancel)
            print_chapter(update, paths, console)
        else:
            end = update
    if end is None:
        raise Problem("remote.speak.odd", ExitCode.INTERNAL, server=session.name, event="read")
    return end


def print_chapter(chapter: ChapterOfBook, paths: list[Path], console: Console) -> None:
    """Say that a chapter is here."""
    row = {**vars(chapter), "files": [str(path) for path in paths]}
    console.print_json({"event": "chapter", **row})
    if not console.json_output:
        console.print_message(
            "tui.read.chapter",
            title=chapter.title,
            duration=format_duration(chapter.seconds),
            path=str(paths[0]),
        )


def finish_reading(
    session: ServerSession,
    book: BookOnServer,
    end: BookEnd,
    folder: Path,
    console: Console,
    cancel: threading.Event,
) -> int:
    """Bring what is not here yet, and print the table of doubtful sentences."""
    report = progress_reporter(console)
    index = book_reading.fetch_index(session, book, end, folder)
    for chapter in index.chapters:
        book_reading.fetch_chapter(session, book, chapter, folder, report, cancel)
    table = book_reading.fetch_doubtful(session, book, index, folder, report, cancel)
    facts = {"folder": str(folder), "sentences": end.sentences, "fresh": end.fresh}
    console.print_message("tui.read.done", **facts)
    if index.doubtful:
        print_doubtful(index, console)
        sounds = str(folder / book_reading.DOUBTFUL_FOLDER)
        console.print_message("tui.read.doubtful", count=len(index.doubtful), folder=sounds)
    elif index.checked:
        console.print_message("tui.read.nothing_doubtful")
    console.print_json(
        {
            "status": "ok",
            "voice": book.voice,
            "folder": str(folder),
            "chapters": len(index.chapters),
            "sentences": end.sentences,
            "fresh": end.fresh,
            "checked": index.checked,
            "doubtful": len(index.doubtful),
            "table": str(table),
        }
    )
    return int(ExitCode.OK)


def print_doubtful(index: book_reading.BookIndex, console: Console) -> None:
    """Print each doubtful sentence: number, place, why, what it should say, what was heard."""
    rows: list[tuple[str, ...]] = [TABLE_HEADINGS]
    for one in index.doubtful:
        console.print_json({"event": "doubtful", **doubtful_json(one)})
        known = [f"tui.read.doubt_{doubt}" for doubt in one.doubts if doubt in DOUBTS]
        why = ", ".join(text(key).get(console.language) for key in known)
        place = f"{one.chapter:03d} {format_duration(one.start)}"
        rows.append((str(one.sentence), place, why, _shorten(one.text), _shorten(one.heard)))
    console.print_table(rows)


DOUBTS = frozenset(("unspoken", "lost", "added", "different", "unclear", "cut", "unread"))


def doubtful_json(one: book_reading.DoubtfulSentence) -> Mapping[str, Any]:
    """One doubtful sentence as a JSON object."""
    return {**vars(one), "wav": one.wav.name}


def _shorten(words: str) -> str:
    return words if len(words) <= MAX_SHOWN_TEXT else words[: MAX_SHOWN_TEXT - 1] + "…"


def stop_reading(session: ServerSession, book: BookOnServer, console: Console) -> int:
    """Stop the job that reads this book, if there is one."""
    stopped = book_reading.stop(session, book)
    key = "tui.read.stopped" if stopped else "tui.read.none"
    console.print_message(key, server=session.name)
    console.print_json({"status": "ok", "stopped": stopped})
    return int(ExitCode.OK)
