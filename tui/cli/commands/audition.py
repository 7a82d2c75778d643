"""`sovdeck audition [SERVER] [VOICE]`: compare epochs by metrics and by ear."""

from __future__ import annotations

import argparse
from random import Random
from typing import Any

from sovdeck.engine.contract.audition import AuditionCell
from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.number_options import amount, whole
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.settings import SpeakSettings
from sovdeck.remote.preflight.audition import check_audition
from sovdeck.remote.preflight.other_runs import beside_text
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech import audition
from sovdeck.tui.cli.blind_vote import run_blind_vote
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.parser import LocalizedParser
from sovdeck.tui.cli.prompts import TerminalDialog
from sovdeck.tui.cli.server_argument import add_server_argument, open_session, require_voice
from sovdeck.tui.state.audition_updates import engine_args, with_event, with_standings
from sovdeck.tui.state.speech_models import AuditionDraft, AuditionState

MAX_TEXT_LENGTH = 24
METRIC_COLUMNS = (
    "seconds",
    "length_ratio",
    "longest_silence_s",
    "loudness_db",
    "cer",
    "similarity",
)
TABLE_HEADINGS = (
    "GPT",
    "SoVITS",
    "REF",
    "TEXT",
    "S",
    "LENGTH",
    "SILENCE",
    "DB",
    "CER",
    "LIKE",
    "PENALTY",
)


def add_arguments(parser: LocalizedParser) -> None:
    """Add the options of `sovdeck audition`."""
    add_server_argument(parser)
    parser.add_argument("voice", nargs="?", metavar="VOICE")
    parser.add_argument("--gpt", nargs="+", default=[])
    parser.add_argument("--sovits", nargs="+", default=[])
    parser.add_argument("--text", action="append", default=[])
    parser.add_argument("--text-lang", default="auto")
    parser.add_argument("--references", type=whole(1, 100), default=1, metavar="N")
    parser.add_argument("--seed", type=whole(-1, 2**32 - 1), default=1234)
    parser.add_argument("--pitch", type=amount(-24, 24), default=0.0, metavar="SEMITONES")
    parser.add_argument("--device", default="auto", choices=("auto", "cuda", "cpu"))
    parser.add_argument("--pretrained", metavar="SET")
    parser.add_argument("--verify", type=whole(0, 100), default=0, metavar="N")
    parser.add_argument("--saved", action="store_true")
    parser.add_argument("--similarity", action="store_true")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--vote", action="store_true")
    parser.add_argument("--choose", nargs="*", metavar="FILE")
    parser.add_argument("--stop", action="store_true")
    busy = parser.add_mutually_exclusive_group()
    busy.add_argument("--queue", action="store_true", help=parser.option_text("queue"))
    busy.add_argument("--now", action="store_true", help=parser.option_text("now"))


def run(args: argparse.Namespace, console: Console) -> int:
    """Render, show, vote, choose or stop, as the options say."""
    if args.choose is not None and len(args.choose) not in (0, 2):
        raise Problem("tui.audition.which_pair", ExitCode.CONFIG)
    options = audition_args(args)
    with open_session(args, console) as session:
        voice = require_voice(args, session)
        if args.stop:
            return stop_audition(session, voice, console)
        if args.show or args.vote or args.choose is not None:
            grid = read_last_audition(session, voice, console)
        else:
            grid = render(session, voice, options, args, console)
        print_grid(grid, console)
        if args.vote:
            grid = run_blind_vote(session, grid, console, Random())
            print_standings(grid, console)
        if args.choose is not None and grid.standings:
            best = grid.standings[0]
            gpt, sovits = args.choose or (best.gpt, best.sovits)
            grid = with_standings(grid, audition.choose_pair(session, voice, gpt, sovits))
            console.print_message("tui.audition.chosen", voice=voice, gpt=gpt, sovits=sovits)
        console.print_json(
            {
                "status": "ok",
                "voice": voice,
                "folder": str(audition.local_folder(session, voice)),
                "cells": len(grid.cells),
                "votes": grid.votes,
                "chosen": grid.chosen,
            }
        )
    return int(ExitCode.OK)


def audition_args(args: argparse.Namespace) -> list[str]:
    """The options as arguments of `engine audition`; Problem for a bad language."""
    settings = SpeakSettings.from_params(
        {
            "text_lang": args.text_lang,
            "seed": args.seed,
            "max_rerolls": args.verify,
            "pitch": args.pitch,
        }
    )
    draft = AuditionDraft(
        "",
        "",
        tuple(args.gpt),
        tuple(args.sovits),
        tuple(args.text),
        settings.text_lang,
        args.references,
        settings.seed,
        settings.max_rerolls,
        pitch=settings.pitch,
    )
    options = [*engine_args(draft), "--device", args.device]
    options += [f"--{name}" for name in ("saved", "similarity") if getattr(args, name)]
    return options + (["--pretrained", args.pretrained] if args.pretrained else [])


def render(
    session: ServerSession,
    voice: str,
    options: list[str],
    args: argparse.Namespace,
    console: Console,
) -> AuditionState:
    """Start the grid, or join the running one, and download each rendering as it appears."""
    console.show_status(text("tui.cli.checking_run", server=session.name).get(console.language))
    checked = check_audition(session, voice, options)
    handle = checked.running
    key = "tui.audition.joined"
    if handle is None:
        queue = bool(checked.active) and wants_queue(session, checked.active[-1], args, console)
        handle = audition.start(session, voice, options, queue=queue)
        key = "tui.audition.queued" if queue else "tui.audition.started"
    console.print_message(key, voice=voice, server=session.name)
    grid = AuditionState(session.name, voice)
    updates = audition.AuditionFollower(session.connection, handle).updates()
    for record, wav in audition.fetch_sounds(session, voice, updates):
        grid = with_event(grid, record, wav)
        if wav is not None:
            console.print_json({"event": "cell", **cell_json(grid.cells[-1])})
            console.show_status(f"{len(grid.cells)}/{grid.total}  {grid.cells[-1].name}")
            print_rerolls(grid.cells[-1], console)
    return grid


def wants_queue(
    session: ServerSession, run: str, args: argparse.Namespace, console: Console
) -> bool:
    """Whether to render after `run`; beside it both share the GPU, which is said."""
    facts = {"server": session.name, "run": run}
    if args.queue or (
        not args.now and TerminalDialog(console).confirm("tui.cli.offer_queue", **facts)
    ):
        return True
    console.print_line(beside_text(session, run).get(console.language))
    return False


def read_last_audition(session: ServerSession, voice: str, console: Console) -> AuditionState:
    """The last audition as it stands on the server, its recordings downloaded."""
    grid = AuditionState(session.name, voice)
    last = audition.read_last(session, voice)
    for record, wav in audition.fetch_sounds(session, voice, last):
        grid = with_event(grid, record, wav)
        if wav is not None:
            console.print_json({"event": "cell", **cell_json(grid.cells[-1])})
    return grid


def print_rerolls(cell: AuditionCell, console: Console) -> None:
    """Print how often a rendering was spoken, when it was more than once."""
    attempts = cell.metrics.get("attempts")
    if attempts is not None and attempts > 1:
        console.print_message("tui.audition.again", cell=cell.name, attempts=int(attempts))


def stop_audition(session: ServerSession, voice: str, console: Console) -> int:
    """Stop the running audition, if there is one."""
    stopped = audition.stop(session, voice)
    key = "tui.audition.stopped" if stopped else "tui.audition.none"
    console.print_message(key, voice=voice, server=session.name)
    console.print_json({"status": "ok", "stopped": stopped})
    return int(ExitCode.OK)


def print_grid(grid: AuditionState, console: Console) -> None:
    """Print each rendering with its metrics, then the ranking."""
    console.print_table([TABLE_HEADINGS, *(cell_row(cell) for cell in grid.cells)])
    print_standings(grid, console)


def print_standings(grid: AuditionState, console: Console) -> None:
    """Print the pairs of weights from best to worst."""
    console.print_line("")
    if grid.stale:
        console.print_message("tui.audition.stale", count=grid.stale)
    for rank, standing in enumerate(grid.standings):
        console.print_json({"event": "standing", "place": rank, **vars(standing)})
    console.print_table(
        [("", "GPT", "SoVITS", "SCORE", "PENALTY", "VOTES")]
        + [
            (
                f"{place}.",
                one.gpt,
                one.sovits,
                f"{one.score:.2f}",
                f"{one.penalty:.2f}",
                f"{one.won}:{one.lost}",
            )
            for place, one in enumerate(grid.standings, 1)
        ]
    )


def cell_row(cell: AuditionCell) -> tuple[str, ...]:
    """The table row of one rendering."""
    text = (
        cell.text if len(cell.text) <= MAX_TEXT_LENGTH else cell.text[: MAX_TEXT_LENGTH - 1] + "…"
    )
    names = (cell.gpt, cell.sovits) if cell.kind == "cell" else (cell.kind, "")
    metrics = {"seconds": cell.seconds, **cell.metrics}
    return (
        *names,
        str(cell.reference),
        text,
        *(format_metric(metrics.get(name)) for name in METRIC_COLUMNS),
        f"{cell.penalty:.2f}",
    )


def format_metric(value: float | bool | None) -> str:
    """A metric with two digits; a dash where it was not measured."""
    return "-" if value is None or isinstance(value, bool) else f"{value:.2f}"


def cell_json(cell: AuditionCell) -> dict[str, Any]:
    """One rendering as a JSON object."""
    return {**vars(cell), "marks": dict(cell.metrics)}
