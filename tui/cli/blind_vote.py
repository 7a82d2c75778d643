"""Blind A/B votes in the terminal: two renderings of one sentence, their weights hidden."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random

from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech import audition
from sovdeck.remote.transfer.download.part_file import disk_errors
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.playback import play_file
from sovdeck.tui.state.audition_updates import with_standings
from sovdeck.tui.state.blind_test import AbComparison, make_comparisons
from sovdeck.tui.state.speech_models import AuditionState

BLIND_FOLDER = "blind"


def run_blind_vote(
    session: ServerSession, grid: AuditionState, console: Console, random: Random
) -> AuditionState:
    """Ask the dashboard's few balanced comparisons; returns the audition with its new ranking.

    The person may stop earlier.
    """
    can_play, folder = True, audition.local_folder(session, grid.voice) / BLIND_FOLDER
    comparisons = make_comparisons(grid, random)
    if not comparisons:
        console.print_message("tui.blind_vote.nothing")
    for number, pair in enumerate(comparisons, 1):
        files = _copy_anonymised(pair, folder)
        console.print_json(
            {"event": "match", "text": pair.a.text, "files": [str(one) for one in files]}
        )
        console.print_message(
            "tui.blind_vote.match", number=number, of=len(comparisons), text=pair.a.text
        )
        can_play = can_play and _play_pair(files, console)
        answer = None
        for answer in _ask_answers(console):
            if answer != "r":
                break
            can_play = can_play and _play_pair(files, console)
        if answer not in ("a", "b", ""):
            break  # q, or the end of the input
        if answer:
            better, worse = (pair.a, pair.b) if answer == "a" else (pair.b, pair.a)
            grid = with_standings(grid, audition.vote(session, grid.voice, better, worse))
    shutil.rmtree(folder, ignore_errors=True)
    console.print_message("tui.blind_vote.done", votes=grid.votes)
    return grid


def _copy_anonymised(pair: AbComparison, folder: Path) -> list[Path]:
    """Copy both files as A.wav and B.wav: the names of the cells would tell the weights."""
    files = []
    for letter, cell in (("A", pair.a), ("B", pair.b)):
        path = folder / f"{letter}.wav"
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(Path(cell.wav or "").read_bytes())
        files.append(path)
    return files


def _play_pair(files: list[Path], console: Console) -> bool:
    """Play A, then B. False where nothing can play sound; then the paths are printed once."""
    try:
        for letter, path in zip("AB", files, strict=True):
            console.show_status(letter)
            play_file(path)
    except Problem as problem:
        console.print_line(problem.message.get(console.language))
        for letter, path in zip("AB", files, strict=True):
            console.print_line(f"  {letter}  {path}")
        return False
    return True


def _ask_answers(console: Console) -> Iterator[str]:
    """Yield valid answers (a, b, r, q or empty); "q" at the end of the input."""
    prompt = "" if console.json_output else text("tui.blind_vote.question").get(console.language)
    while True:
        try:
            answer = console.ask(prompt).strip().lower()
        except EOFError:
            answer = "q"
        if answer in ("a", "b", "r", "q", ""):
            yield answer
