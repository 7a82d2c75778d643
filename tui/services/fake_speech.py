"""Made-up speaking: takes that come sentence by sentence, and an audition to vote on."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

from engine.contract.audition import AuditionCell, Standing
from tui.services import fake_shelf as scene
from tui.services.fake_world import FakeWorld
from tui.services.protocols import Cancel, Emit
from tui.state import events as ev
from tui.state.speech import (
    Audition,
    AuditionDraft,
    Loan,
    Piece,
    Shelf,
    SpeakDraft,
    Take,
)

_PIECE_S = 0.7
_LISTING_S = 2.0
_SENTENCE = re.compile(r"[^。！？.!?\n]+[。！？.!?]*")


class FakeSpeech:
    """`world.gate` holds a take back before its last sentence until it is set."""

    def __init__(self, world: FakeWorld) -> None:
        self.world = world
        self.spoken = 0

    def shelf(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        self.world.call("shelf", server, voice)
        while not self.world.listing.wait(0.01):
            if cancel.is_set():
                return
        if self.world.live and cancel.wait(_LISTING_S):
            return
        if self.world.shelf_problem is not None:
            raise self.world.shelf_problem
        found = self.world.shelves.get(f"{server}/{voice}", Shelf(server, voice))
        emit(ev.ShelfSeen(found, self.world.now()))

    def measure(self, clip: Path, emit: Emit, cancel: Cancel) -> None:
        self.world.call("measure", clip.name)
        if self.world.speech_problem is not None:
            raise self.world.speech_problem
        emit(ev.ClipMeasured(replace(scene.LOCAL_CLIP, path=str(clip))))

    def bring(self, server: str, voice: str, clip: str, emit: Emit, cancel: Cancel) -> None:
        local = self.fetch(server, voice, clip, emit, cancel)
        known = self.world.shelves[f"{server}/{voice}"].references
        there = next(one for one in known if one.path == clip)
        emit(ev.ClipMeasured(replace(there, path=str(local), came_from=clip)))

    def lend(self, server: str, voice: str, loan: Loan, emit: Emit, cancel: Cancel) -> None:
        cut = "" if loan.window is None else "{:.1f}-{:.1f}".format(*loan.window)
        self.world.call("lend", server, voice, loan.clip.name, cut)
        start, end = loan.window or (0.0, scene.LOCAL_CLIP.seconds)
        lent = replace(
            scene.LOCAL_CLIP, path=f"lent/{loan.clip.name}", seconds=end - start, window=None,
            text=loan.text, language=loan.language, peaks=scene.outline(7, end - start),
        )  # fmt: skip
        key = f"{server}/{voice}"
        shelf = self.world.shelves.get(key, Shelf(server, voice))
        self.world.shelves[key] = replace(shelf, references=(lent, *shelf.references))
        emit(ev.ShelfSeen(self.world.shelves[key], self.world.now()))

    def fetch(self, server: str, voice: str, clip: str, emit: Emit, cancel: Cancel) -> Path:
        self.world.call("fetch", clip)
        return Path("references") / clip.rsplit("/", 1)[-1]

    def speak(self, draft: SpeakDraft, take: str, emit: Emit, cancel: Cancel) -> None:
        self.world.call("speak", draft.server, draft.voice, repr(dict(draft.params)))
        if self.world.speech_problem is not None:
            raise self.world.speech_problem
        self.spoken += 1
        params = draft.params
        rate = 0.17 / float(params.get("speed", 1.0))
        texts = [found.strip() for found in _SENTENCE.findall(str(params["text"]))]
        row = Take(take, draft, self.world.now(), "speaking")
        emit(ev.TakeChanged(row))
        for number, words in enumerate(texts, 1):
            if number == len(texts) and not self._may_end(cancel):
                return
            if self.world.live and cancel.wait(_PIECE_S):
                return
            piece = Piece(words, round(0.4 + rate * len(words), 2))
            row = replace(row, pieces=(*row.pieces, piece), first_audio_s=0.84)
            emit(ev.TakeChanged(row))
        seconds = sum(piece.seconds for piece in row.pieces)
        seed = int(params.get("seed", -1))
        emit(
            ev.TakeChanged(
                replace(
                    row, state="done", seconds=round(seconds, 2),
                    seed=seed if seed >= 0 else 4_100 + 37 * self.spoken,
                    wav=f"takes/{draft.voice}-{self.spoken:03}.wav",
                    peaks=scene.outline(self.spoken, seconds),
                )
            )
        )  # fmt: skip

    def _may_end(self, cancel: Cancel) -> bool:
        while not self.world.gate.wait(0.01):
            if cancel.is_set():
                return False
        return not cancel.is_set()

    def save(self, wav: Path, folder: Path) -> Path:
        self.world.call("save", wav.name, str(folder))
        return folder / wav.name

    def release(self, server: str) -> None:
        self.world.call("release", server)


class FakeAuditions:
    def __init__(self, world: FakeWorld) -> None:
        self.world = world
        self._stopped: dict[str, threading.Event] = {}

    def render(self, draft: AuditionDraft, emit: Emit, cancel: Cancel) -> None:
        self.world.call("audition", draft.server, draft.voice, *draft.gpt, *draft.sovits)
        key = f"{draft.server}/{draft.voice}"
        stopped = self._stopped[key] = threading.Event()
        shelf = self.world.shelves[key]
        gpt = draft.gpt or tuple(weight.name for weight in shelf.gpt[-3:])
        sovits = draft.sovits or tuple(weight.name for weight in shelf.sovits[-3:])
        cells = tuple(scene_cells(gpt, sovits, draft.texts or scene.SENTENCES))
        rows = Audition(draft.server, draft.voice, total=len(cells), running=True)
        emit(ev.AuditionChanged(rows))
        for cell in cells:
            if cancel.is_set() or stopped.is_set() or (self.world.live and cancel.wait(0.3)):
                return
            rows = replace(rows, cells=(*rows.cells, cell))
            emit(ev.AuditionChanged(rows))
            while self.world.live is False and not self.world.gate.wait(0.01):
                if cancel.is_set() or stopped.is_set():
                    return
        self._keep(replace(rows, running=False), emit)

    def stop(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        self.world.call("stop audition", server, voice)
        self._stopped[f"{server}/{voice}"].set()

    def recall(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        self.world.call("recall", server, voice)
        emit(ev.AuditionChanged(self._known(server, voice)))

    def vote(
        self,
        server: str,
        voice: str,
        better: AuditionCell,
        worse: AuditionCell,
        emit: Emit,
        cancel: Cancel,
    ) -> None:
        self.world.call("vote", better.name, worse.name)
        self.world.votes.append((better.name, worse.name))
        self._keep(self._known(server, voice), emit)

    def choose(
        self, server: str, voice: str, gpt: str, sovits: str, emit: Emit, cancel: Cancel
    ) -> None:
        self.world.call("choose", voice, gpt, sovits)
        self._keep(replace(self._known(server, voice), chosen=(gpt, sovits)), emit)

    def _known(self, server: str, voice: str) -> Audition:
        return self.world.auditions.get(f"{server}/{voice}", Audition(server, voice))

    def _keep(self, rows: Audition, emit: Emit) -> None:
        rows = ranked(rows, self.world.votes)
        self.world.auditions[rows.key] = rows
        emit(ev.AuditionChanged(rows))


def scene_cells(
    gpt: tuple[str, ...], sovits: tuple[str, ...], texts: tuple[str, ...]
) -> Iterator[AuditionCell]:
    """Ground truth, then every pair, then the untrained base."""
    for number, words in enumerate(texts):
        yield AuditionCell(
            f"truth-s{number}", "truth", number, words, seconds=0.2 * len(words),
            marks={"length_ratio": 1.0, "longest_silence_s": 0.21, "cer": 0.0, "ended": True},
            wav=f"audition/truth-s{number}.wav",
        )  # fmt: skip
    pairs = [(g, s, "cell") for g, s in product(gpt, sovits)] + [("base", "base", "base")]
    for g, s, kind in pairs:
        for number, words in enumerate(texts):
            penalty = 1.9 if kind == "base" else scene.penalty(g, s, number)
            yield AuditionCell(
                f"{kind}-{g}-{s}-r0-s{number}", "base" if kind == "base" else "cell",
                number, words, g, s, 0, 0.2 * len(words) * (1 + penalty / 6), penalty,
                {
                    "length_ratio": round(1 + penalty / 6, 2),
                    "longest_silence_s": round(0.2 + penalty / 3, 2),
                    "cer": round(penalty / 20, 3), "similarity": round(0.93 - penalty / 12, 3),
                    "loudness_db": -21.4, "ended": penalty < 1.5,
                },
                wav=f"audition/{kind}-{g}-{s}-r0-s{number}.wav",
            )  # fmt: skip


def ranked(rows: Audition, votes: list[tuple[str, str]]) -> Audition:
    """Standings from marks and votes."""
    cells = {cell.name: cell for cell in rows.cells if cell.kind == "cell"}
    heard = [(cells[b], cells[w]) for b, w in votes if b in cells and w in cells]
    places = []
    for pair in dict.fromkeys((cell.gpt, cell.sovits) for cell in cells.values()):
        mine = [cell for cell in cells.values() if (cell.gpt, cell.sovits) == pair]
        penalty = sum(cell.penalty for cell in mine) / len(mine)
        won = sum((better.gpt, better.sovits) == pair for better, _ in heard)
        lost = sum((worse.gpt, worse.sovits) == pair for _, worse in heard)
        score = 0.5 * (won - lost) - penalty
        places.append(Standing(*pair, score, penalty, len(mine), won, lost))
    places.sort(key=lambda one: one.score, reverse=True)
    return replace(rows, standings=tuple(places), votes=len(heard))
