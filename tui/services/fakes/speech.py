"""Made-up speaking: takes that come sentence by sentence, and an audition to vote on."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

from sovdeck.engine.contract.audition import AuditionCell, Standing
from sovdeck.tui.services.fakes import voice_assets as sample_assets
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.services.protocols import Cancel, Emit
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.speech_models import (
    AuditionDraft,
    AuditionState,
    ReadingRequest,
    ReadingRow,
    ReferenceUpload,
    SpeakDraft,
    TakeRow,
    TakeSentence,
    VoiceAssetsState,
)

_SENTENCE_S = 0.7
_LISTING_S = 2.0
_SENTENCE = re.compile(r"[^。！？.!?\n]+[。！？.!?]*")


class FakeSpeech:
    """Made-up takes; `world.gate` keeps a take from its last sentence until it is set."""

    def __init__(self, world: FakeWorld) -> None:
        self.world = world
        self.spoken = 0

    def list_voice_assets(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        """Emit the made-up weights and references of a voice."""
        self.world.record_call("voice assets", server, voice)
        while not self.world.listing.wait(0.01):
            if cancel.is_set():
                return
        if self.world.live and cancel.wait(_LISTING_S):
            return
        if self.world.voice_assets_problem is not None:
            raise self.world.voice_assets_problem
        found = self.world.voice_assets.get(f"{server}/{voice}", VoiceAssetsState(server, voice))
        emit(ev.VoiceAssetsSeen(found, self.world.now()))

    def measure_clip(self, clip: Path, emit: Emit, cancel: Cancel) -> None:
        """Emit a made-up measurement."""
        self.world.record_call("measure", clip.name)
        if self.world.speech_problem is not None:
            raise self.world.speech_problem
        emit(ev.ClipMeasured(replace(sample_assets.LOCAL_CLIP, path=str(clip))))

    def fetch_clip_to_trim(
        self, server: str, voice: str, clip: str, emit: Emit, cancel: Cancel
    ) -> None:
        """Emit the clip as if it were here."""
        local = self.fetch_clip(server, voice, clip, emit, cancel)
        known = self.world.voice_assets[f"{server}/{voice}"].references
        there = next(one for one in known if one.path == clip)
        emit(ev.ClipMeasured(replace(there, path=str(local), came_from=clip)))

    def upload_reference(
        self, server: str, voice: str, upload: ReferenceUpload, emit: Emit, cancel: Cancel
    ) -> None:
        """Add the clip to the voice's references."""
        cut = "" if upload.window is None else "{:.1f}-{:.1f}".format(*upload.window)
        self.world.record_call("upload reference", server, voice, upload.clip.name, cut)
        start, end = upload.window or (0.0, sample_assets.LOCAL_CLIP.seconds)
        uploaded = replace(
            sample_assets.LOCAL_CLIP,
            path=f"lent/{upload.clip.name}",
            seconds=end - start,
            window=None,
            text=upload.text,
            language=upload.language,
            peaks=sample_assets.fake_peaks(7, end - start),
        )
        key = f"{server}/{voice}"
        assets = self.world.voice_assets.get(key, VoiceAssetsState(server, voice))
        self.world.voice_assets[key] = replace(assets, references=(uploaded, *assets.references))
        emit(ev.VoiceAssetsSeen(self.world.voice_assets[key], self.world.now()))

    def name_reference(
        self, server: str, voice: str, clip: str, name: str, emit: Emit, cancel: Cancel
    ) -> None:
        """Put the clip under its name before the others, as a server lists it."""
        self.world.record_call("name reference", server, voice, clip, name)
        key = f"{server}/{voice}"
        assets = self.world.voice_assets[key]
        named = next(one for one in assets.references if one.path == clip)
        rest = tuple(one for one in assets.references if one.path != clip or not one.name)
        new = replace(named, path=f"lent/{name}.wav", name=name, score=None)
        self.world.voice_assets[key] = replace(assets, references=(new, *rest))
        emit(ev.VoiceAssetsSeen(self.world.voice_assets[key], self.world.now()))

    def fetch_clip(self, server: str, voice: str, clip: str, emit: Emit, cancel: Cancel) -> Path:
        """The path the clip would have here."""
        self.world.record_call("fetch", clip)
        return Path("references") / clip.rsplit("/", 1)[-1]

    def read_text(self, request: ReadingRequest, emit: Emit, cancel: Cancel) -> None:
        """Emit a reading that spells 5 out and has no sound for Cyrillic."""
        self.world.record_call("read", request.server, request.language, request.text)
        if self.world.reads_texts:
            lost = [(c, at) for at, c in enumerate(request.text) if "\u0400" <= c <= "\u04ff"]
            pieces = (("zh", request.text.replace("5", "五")),)
            emit(ev.TextRead(ReadingRow(request, pieces, tuple(lost))))
        else:
            emit(ev.TextRead(ReadingRow(request)))

    def speak(
        self,
        draft: SpeakDraft,
        take: str,
        emit: Emit,
        cancel: Cancel,
        on_sound: Callable[[bytes], None] | None = None,
    ) -> None:
        """Emit a take sentence by sentence; each is heard as its own words."""
        self.world.record_call("speak", draft.server, draft.voice, repr(dict(draft.params)))
        if self.world.speech_problem is not None:
            raise self.world.speech_problem
        self.spoken += 1
        params = draft.params
        rate = 0.17 / float(params.get("speed", 1.0))
        texts = [found.strip() for found in _SENTENCE.findall(str(params["text"]))]
        row = TakeRow(take, draft, self.world.now(), "speaking", aloud=on_sound is not None)
        emit(ev.TakeChanged(row))
        for number, text in enumerate(texts, 1):
            if number == len(texts) and not self._may_end(cancel):
                return
            if self.world.live and cancel.wait(_SENTENCE_S):
                return
            sentence = TakeSentence(text, round(0.4 + rate * len(text), 2))
            if on_sound is not None:
                on_sound(text.encode())
            row = replace(row, sentences=(*row.sentences, sentence), first_audio_s=0.84)
            emit(ev.TakeChanged(row))
        seconds = sum(piece.seconds for piece in row.sentences)
        seed = int(params.get("seed", -1))
        emit(
            ev.TakeChanged(
                replace(
                    row,
                    state="done",
                    seconds=round(seconds, 2),
                    seed=seed if seed >= 0 else 4_100 + 37 * self.spoken,
                    wav=f"takes/{draft.voice}-{self.spoken:03}.wav",
                    peaks=sample_assets.fake_peaks(self.spoken, seconds),
                    notices=self.world.take_notices,
                )
            )
        )

    def _may_end(self, cancel: Cancel) -> bool:
        while not self.world.gate.wait(0.01):
            if cancel.is_set():
                return False
        return not cancel.is_set()

    def save_take(self, wav: Path, folder: Path) -> Path:
        """The path the copy would have."""
        self.world.record_call("save", wav.name, str(folder))
        return folder / wav.name


class FakeAuditions:
    """Made-up auditions, ranked like real ones."""

    def __init__(self, world: FakeWorld) -> None:
        self.world = world
        self._stopped: dict[str, threading.Event] = {}

    def render(self, draft: AuditionDraft, emit: Emit, cancel: Cancel) -> None:
        """Emit the cells one after another."""
        queued = ("queued",) if draft.queue else ()
        weights = (*draft.gpt, *draft.sovits)
        self.world.record_call("audition", draft.server, draft.voice, *weights, *queued)
        key = f"{draft.server}/{draft.voice}"
        stopped = self._stopped[key] = threading.Event()
        assets = self.world.voice_assets[key]
        gpt = draft.gpt or tuple(weight.name for weight in assets.gpt[-3:])
        sovits = draft.sovits or tuple(weight.name for weight in assets.sovits[-3:])
        cells = tuple(fake_cells(gpt, sovits, draft.texts or sample_assets.SENTENCES))
        audition = AuditionState(draft.server, draft.voice, total=len(cells), running=True)
        emit(ev.AuditionChanged(audition))
        for cell in cells:
            if cancel.is_set() or stopped.is_set() or (self.world.live and cancel.wait(0.3)):
                return
            audition = replace(audition, cells=(*audition.cells, cell))
            emit(ev.AuditionChanged(audition))
            while self.world.live is False and not self.world.gate.wait(0.01):
                if cancel.is_set() or stopped.is_set():
                    return
        self._store(replace(audition, running=False), emit)

    def stop(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        """Stop the rendering of a voice."""
        self.world.record_call("stop audition", server, voice)
        self._stopped[f"{server}/{voice}"].set()

    def recall(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        """Emit the voice's last audition."""
        self.world.record_call("recall", server, voice)
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
        """Record a vote and emit new standings."""
        self.world.record_call("vote", better.name, worse.name)
        self.world.votes.append((better.name, worse.name))
        self._store(self._known(server, voice), emit)

    def choose(
        self, server: str, voice: str, gpt: str, sovits: str, emit: Emit, cancel: Cancel
    ) -> None:
        """Emit the audition with the chosen pair."""
        self.world.record_call("choose", voice, gpt, sovits)
        self._store(replace(self._known(server, voice), chosen=(gpt, sovits)), emit)

    def _known(self, server: str, voice: str) -> AuditionState:
        return self.world.auditions.get(f"{server}/{voice}", AuditionState(server, voice))

    def _store(self, audition: AuditionState, emit: Emit) -> None:
        audition = with_fake_standings(audition, self.world.votes)
        self.world.auditions[audition.key] = audition
        emit(ev.AuditionChanged(audition))


def fake_cells(
    gpt: tuple[str, ...], sovits: tuple[str, ...], texts: tuple[str, ...]
) -> Iterator[AuditionCell]:
    """Cells of the recordings, then of every pair, then of the untrained base model."""
    for number, text in enumerate(texts):
        yield AuditionCell(
            f"truth-s{number}",
            "truth",
            number,
            text,
            seconds=0.2 * len(text),
            metrics={"length_ratio": 1.0, "longest_silence_s": 0.21, "cer": 0.0, "ended": True},
            wav=f"audition/truth-s{number}.wav",
        )
    pairs = [(g, s, "cell") for g, s in product(gpt, sovits)] + [("base", "base", "base")]
    for g, s, kind in pairs:
        for number, text in enumerate(texts):
            penalty = 1.9 if kind == "base" else sample_assets.penalty(g, s, number)
            yield AuditionCell(
                f"{kind}-{g}-{s}-r0-s{number}",
                "base" if kind == "base" else "cell",
                number,
                text,
                g,
                s,
                0,
                0.2 * len(text) * (1 + penalty / 6),
                penalty,
                {
                    "length_ratio": round(1 + penalty / 6, 2),
                    "longest_silence_s": round(0.2 + penalty / 3, 2),
                    "cer": round(penalty / 20, 3),
                    "similarity": round(0.93 - penalty / 12, 3),
                    "loudness_db": -21.4,
                    "ended": penalty < 1.5,
                },
                wav=f"audition/{kind}-{g}-{s}-r0-s{number}.wav",
            )


def with_fake_standings(audition: AuditionState, votes: list[tuple[str, str]]) -> AuditionState:
    """The audition ranked by penalties and votes."""
    cells = {cell.name: cell for cell in audition.cells if cell.kind == "cell"}
    heard = [(cells[b], cells[w]) for b, w in votes if b in cells and w in cells]
    standings = []
    for pair in dict.fromkeys((cell.gpt, cell.sovits) for cell in cells.values()):
        mine = [cell for cell in cells.values() if (cell.gpt, cell.sovits) == pair]
        penalty = sum(cell.penalty for cell in mine) / len(mine)
        won = sum((better.gpt, better.sovits) == pair for better, _ in heard)
        lost = sum((worse.gpt, worse.sovits) == pair for _, worse in heard)
        score = 0.5 * (won - lost) - penalty
        standings.append(Standing(*pair, score, penalty, len(mine), won, lost))
    standings.sort(key=lambda one: one.score, reverse=True)
    return replace(audition, standings=tuple(standings), votes=len(heard))
