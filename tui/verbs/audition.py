"""`sovdeck audition [SERVER] [VOICE]`: epochs against epochs, by figures and by ear."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.contract.audition import AuditionCell
from engine.contract.params import check
from engine.contract.problem import ExitCode, Problem
from remote import audition, job
from remote.take_file import audition_folder
from tui.console import Console
from tui.hearing import grown, options_of, reranked
from tui.state.speech import Audition, AuditionDraft
from tui.target import add_server, open_studio, voice_of

if TYPE_CHECKING:
    from remote.studio import Studio

GRACE_S = 10.0
MOST_TEXT = 24
COLUMNS = ("seconds", "length_ratio", "longest_silence_s", "loudness_db", "cer", "similarity")
HEADS = ("GPT", "SoVITS", "REF", "TEXT", "S", "LENGTH", "SILENCE", "DB", "CER", "LIKE", "PENALTY")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_server(parser)
    parser.add_argument("voice", nargs="?", metavar="VOICE")
    parser.add_argument("--gpt", nargs="+", default=[])
    parser.add_argument("--sovits", nargs="+", default=[])
    parser.add_argument("--text", action="append", default=[])
    parser.add_argument("--text-lang", default="auto")
    parser.add_argument("--references", type=int, default=1, metavar="N")
    parser.add_argument("--seed", type=int, default=1234)
    parser.add_argument("--device", default="auto", choices=("auto", "cuda", "cpu"))
    parser.add_argument("--pretrained", metavar="SET")
    parser.add_argument("--verify", type=int, default=0, metavar="N")
    parser.add_argument("--saved", action="store_true")
    parser.add_argument("--similarity", action="store_true")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--vote", action="store_true")
    parser.add_argument("--choose", nargs="*", metavar="FILE")
    parser.add_argument("--stop", action="store_true")


def run(args: argparse.Namespace, console: Console) -> int:
    if args.choose is not None and len(args.choose) not in (0, 2):
        raise Problem("tui.audition.which_pair", ExitCode.CONFIG)
    options = render_options(args)
    with open_studio(args, console) as studio:
        voice = voice_of(args, studio)
        folder = audition_folder(Path(studio.config.paths.outputs), voice)
        if args.stop:
            return stop(studio, voice, console)
        if args.show or args.vote or args.choose is not None:
            rows = recall(studio, voice, folder, console)
        else:
            rows = render(studio, voice, options, folder, console)
        show(rows, console)
        if args.vote:
            from tui.ballot import vote_blind

            rows = vote_blind(studio, rows, folder, console)
            show_standings(rows, console)
        if args.choose is not None and rows.standings:
            best = rows.standings[0]
            gpt, sovits = args.choose or (best.gpt, best.sovits)
            rows = reranked(rows, audition.choose(studio, voice, gpt, sovits))
            console.say("tui.audition.chosen", voice=voice, gpt=gpt, sovits=sovits)
        console.emit(
            {
                "status": "ok", "voice": voice, "folder": str(folder), "cells": len(rows.cells),
                "votes": rows.votes, "chosen": rows.chosen,
            }
        )  # fmt: skip
    return int(ExitCode.OK)


def render_options(args: argparse.Namespace) -> list[str]:
    """The command line's wishes as those of `engine audition`; Problem for a bad language."""
    check("infer.text_lang", args.text_lang)
    check("infer.max_rerolls", args.verify)
    draft = AuditionDraft(
        "", "", tuple(args.gpt), tuple(args.sovits), tuple(args.text), args.text_lang,
        args.references, args.seed, args.verify,
    )  # fmt: skip
    words = [*options_of(draft), "--device", args.device]
    words += [f"--{name}" for name in ("saved", "similarity") if getattr(args, name)]
    return words + (["--pretrained", args.pretrained] if args.pretrained else [])


def render(
    studio: Studio, voice: str, options: list[str], folder: Path, console: Console
) -> Audition:
    """Start the grid, or join the one at work, and bring each sound here as it appears."""

    handle, new = audition.start(studio, voice, options)
    said = "tui.audition.started" if new else "tui.audition.joined"
    console.say(said, voice=voice, server=studio.name)
    rows = Audition(studio.name, voice)
    for told in audition.Watch(studio.link, handle).told():
        wav = None
        if isinstance(told, AuditionCell):
            wav = audition.fetch(studio, voice, told, folder)
        rows = grown(rows, told, wav)
        if wav is not None:
            console.emit({"event": "cell", **cell_json(rows.cells[-1])})
            console.live(f"{len(rows.cells)}/{rows.total}  {rows.cells[-1].name}")
            say_rerolls(rows.cells[-1], console)
    return rows


def recall(studio: Studio, voice: str, folder: Path, console: Console) -> Audition:
    """The last audition as it stands, its sounds here."""

    rows = Audition(studio.name, voice)
    for told in audition.recall(studio, voice):
        wav = None
        if isinstance(told, AuditionCell):
            wav = audition.fetch(studio, voice, told, folder)
        rows = grown(rows, told, wav)
        if wav is not None:
            console.emit({"event": "cell", **cell_json(rows.cells[-1])})
    return rows


def say_rerolls(cell: AuditionCell, console: Console) -> None:
    attempts = cell.marks.get("attempts")
    if attempts is not None and attempts > 1:
        console.say("tui.audition.again", cell=cell.name, attempts=int(attempts))


def stop(studio: Studio, voice: str, console: Console) -> int:
    """End the audition that is at work, if there is one."""

    handle = audition.at_work(studio, voice)
    if handle is None:
        console.say("tui.audition.none", voice=voice, server=studio.name)
    else:
        job.stop(studio.link(), handle, GRACE_S)
        console.say("tui.audition.stopped", voice=voice, server=studio.name)
    console.emit({"status": "ok", "stopped": handle is not None})
    return int(ExitCode.OK)


def show(rows: Audition, console: Console) -> None:
    """Each cell with its marks, then the pairs from best to worst."""
    console.table([HEADS, *(cell_row(cell) for cell in rows.cells)])
    show_standings(rows, console)


def show_standings(rows: Audition, console: Console) -> None:
    console.write("")
    if rows.stale:
        console.say("tui.audition.stale", count=rows.stale)
    for place, one in enumerate(rows.standings):
        console.emit({"event": "standing", "place": place, **vars(one)})
    console.table(
        [("", "GPT", "SoVITS", "SCORE", "PENALTY", "VOTES")]
        + [
            (f"{place}.", one.gpt, one.sovits, f"{one.score:.2f}", f"{one.penalty:.2f}",
             f"{one.won}:{one.lost}")
            for place, one in enumerate(rows.standings, 1)
        ]
    )  # fmt: skip


def cell_row(cell: AuditionCell) -> tuple[str, ...]:
    text = cell.text if len(cell.text) <= MOST_TEXT else cell.text[: MOST_TEXT - 1] + "…"
    names = (cell.gpt, cell.sovits) if cell.kind == "cell" else (cell.kind, "")
    marks = {"seconds": cell.seconds, **cell.marks}
    return (
        *names, str(cell.reference), text, *(figure(marks.get(name)) for name in COLUMNS),
        f"{cell.penalty:.2f}",
    )  # fmt: skip


def figure(value: float | bool | None) -> str:
    """A mark with two digits; a dash where nobody measured."""
    return "-" if value is None or isinstance(value, bool) else f"{value:.2f}"


def cell_json(cell: AuditionCell) -> dict[str, Any]:
    return {**vars(cell), "marks": dict(cell.marks)}
