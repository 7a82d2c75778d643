"""Blind votes in the terminal: two renderings of one sentence, and nobody sees which is which."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from engine.contract.audition import AuditionCell
from engine.contract.catalogue import text
from engine.contract.problem import Problem
from remote import audition
from remote.transfer.part_file import disk_errors
from tui.console import Console
from tui.hearing import keep_vote, reranked
from tui.state.speech import Audition
from tui.verbs.speak import play

if TYPE_CHECKING:
    from remote.studio import Studio

BLIND = "blind"
_ANSWERS = {"a": 0, "b": 1}


def matches(rows: Audition, dice: random.Random) -> list[tuple[AuditionCell, AuditionCell]]:
    """Every two pairs of weights against each other, sentence by sentence, in random order."""
    cells = [cell for cell in rows.cells if cell.kind == "cell" and cell.wav]
    found = []
    for one, other in combinations(cells, 2):
        same = (one.sentence, one.reference) == (other.sentence, other.reference)
        if same and (one.gpt, one.sovits) != (other.gpt, other.sovits):
            found.append((one, other) if dice.random() < 0.5 else (other, one))
    dice.shuffle(found)
    return found


def vote_blind(
    studio: Studio,
    rows: Audition,
    folder: Path,
    console: Console,
    dice: random.Random | None = None,
) -> Audition:
    """Ask for votes until the person has had enough; the audition with its new standings."""
    sounds = True
    waiting = matches(rows, dice or random.Random())  # noqa: S311 - no secret
    if not waiting:
        console.say("tui.ballot.nothing")
    for number, pair in enumerate(waiting, 1):
        files = _veiled(pair, folder)
        console.emit({"event": "match", "text": pair[0].text, "files": [str(one) for one in files]})
        console.say("tui.ballot.match", number=number, of=len(waiting), text=pair[0].text)
        sounds = sounds and _play(files, console)
        answer = None
        for answer in _answers(console):
            if answer != "r":
                break
            sounds = sounds and _play(files, console)
        if answer not in ("a", "b", ""):
            break  # q, or the end of the input
        if answer in _ANSWERS:
            better, worse = pair[_ANSWERS[answer]], pair[1 - _ANSWERS[answer]]
            told = audition.vote(studio, rows.voice, better, worse)
            rows = reranked(rows, told)
            keep_vote(folder, better, worse)
    shutil.rmtree(folder / BLIND, ignore_errors=True)
    console.say("tui.ballot.done", votes=rows.votes)
    return rows


def _veiled(pair: tuple[AuditionCell, AuditionCell], folder: Path) -> list[Path]:
    """Copies named A and B: the names of the cells would tell which is which."""
    files = []
    for letter, cell in zip("AB", pair, strict=True):
        path = folder / BLIND / f"{letter}.wav"
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(Path(cell.wav or "").read_bytes())
        files.append(path)
    return files


def _play(files: list[Path], console: Console) -> bool:
    """Whether both sounded; where nothing can play, the person is told the files, once."""
    try:
        for letter, path in zip("AB", files, strict=True):
            console.live(letter)
            play(path)
    except Problem as problem:
        console.write(problem.message.get(console.language))
        for letter, path in zip("AB", files, strict=True):
            console.write(f"  {letter}  {path}")
        return False
    return True


def _answers(console: Console) -> Iterator[str]:
    """What the person answers, until it means something; "q" at the end of the input."""
    prompt = "" if console.json_output else text("tui.ballot.question").get(console.language)
    while True:
        try:
            answer = input(prompt).strip().lower()
        except EOFError:
            answer = "q"
        if answer in ("a", "b", "r", "q", ""):
            yield answer
