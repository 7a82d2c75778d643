"""Speaking for real: one resident speaker a server, takes saved on this computer."""

from __future__ import annotations

import re
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path, PurePosixPath

from engine.contract.problem import ExitCode, Problem
from remote import shelf as far
from remote.local_names import safe
from remote.reference_clip import measure_clip
from remote.small_file import fetch_small
from remote.speaker import Piece as Arrived
from remote.speaker import Speaker
from remote.speaker import Weight as Listed
from remote.speakers import Speakers
from remote.take_file import TakeFile, peaks, takes_folder
from remote.transfer.part_file import disk_errors
from tui.services.protocols import Cancel, Emit
from tui.services.studios import Studios, now_ms
from tui.state import events as ev
from tui.state.speech import Loan, Piece, ReferenceClip, Shelf, SpeakDraft, Take, Weight

_STEP = re.compile(r"_s(\d+)\.pth\Z")


class LiveSpeech:
    def __init__(self, studios: Studios) -> None:
        self._studios = studios
        self._lock = threading.Lock()
        self._speakers: dict[str, Speakers] = {}
        self._clips: dict[tuple[str, str], dict[str, far.Reference]] = {}

    def shelf(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        found = far.read_shelf(self._studios.get(server), voice)
        self._clips[server, voice] = {one.path: one for one in found.references}
        emit(ev.ShelfSeen(shown_shelf(server, voice, found), now_ms()))

    def measure(self, clip: Path, emit: Emit, cancel: Cancel) -> None:
        emit(ev.ClipMeasured(measured(clip)))

    def bring(self, server: str, voice: str, clip: str, emit: Emit, cancel: Cancel) -> None:
        found = measured(self.fetch(server, voice, clip, emit, cancel))
        there = self._clips[server, voice][clip]
        known = replace(found, text=there.text, language=there.language, came_from=clip)
        emit(ev.ClipMeasured(known))

    def lend(self, server: str, voice: str, loan: Loan, emit: Emit, cancel: Cancel) -> None:
        far.lend(
            self._studios.get(server), voice, loan.clip, window=loan.window,
            text=loan.text, language=loan.language, cancel=cancel,
        )  # fmt: skip
        self.shelf(server, voice, emit, cancel)

    def fetch(self, server: str, voice: str, clip: str, emit: Emit, cancel: Cancel) -> Path:
        studio = self._studios.get(server)
        known = self._clips.get((server, voice), {})
        if clip not in known:
            self.shelf(server, voice, emit, cancel)
            known = self._clips[server, voice]
        if clip not in known:
            raise Problem("engine.speaking.reference_missing", ExitCode.DATA, file=clip)
        one = known[clip]
        there = PurePosixPath(clip)
        name = safe(f"{there.stem}-{one.sha256[:8]}{there.suffix}")
        local = studio.places.data / "references" / name
        return fetch_small(studio.link, clip, local, size=one.bytes, sha256=one.sha256)

    def speak(self, draft: SpeakDraft, take: str, emit: Emit, cancel: Cancel) -> None:
        studio = self._studios.get(draft.server)
        folder = takes_folder(Path(studio.config.paths.outputs).absolute(), draft.voice)
        row = Take(take, draft, now_ms(), "speaking")
        emit(ev.TakeChanged(row))
        with self._of(draft.server).borrow(draft.voice) as speaker:
            if cancel.is_set():
                return
            with TakeFile.next_in(folder, draft.voice) as file:
                asked = time.monotonic()

                def on_piece(piece: Arrived) -> None:
                    nonlocal row
                    file.add(piece)
                    first = row.first_audio_s or round(time.monotonic() - asked, 3)
                    said = (*row.pieces, shown_piece(piece))
                    row = replace(row, pieces=said, first_audio_s=first)
                    emit(ev.TakeChanged(row))

                try:
                    spoken = speaker.speak(draft.params, on_piece, cancel)
                except Problem:
                    if cancel.is_set():
                        return
                    raise
                wav = file.finish(spoken)
        emit(
            ev.TakeChanged(
                replace(
                    row, state="done", seconds=round(spoken.seconds, 2), seed=spoken.seed,
                    wav=str(wav), peaks=peaks(wav),
                )
            )
        )  # fmt: skip

    def save(self, wav: Path, folder: Path) -> Path:
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            target, number = folder / wav.name, 1
            while True:
                try:
                    with wav.open("rb") as source, target.open("xb") as copy:
                        shutil.copyfileobj(source, copy)
                except FileExistsError:
                    number += 1
                    target = folder / f"{wav.stem} ({number}){wav.suffix}"
                    continue
                return target

    def release(self, server: str) -> None:
        with self._lock:
            speakers = self._speakers.get(server)
        if speakers is not None:
            speakers.release()

    def close(self) -> None:
        """End every speaker at once; the dashboard is leaving."""
        with self._lock:
            for speakers in self._speakers.values():
                speakers.close()

    def _of(self, server: str) -> Speakers:
        def start(voice: str) -> Speaker:
            studio = self._studios.get(server)
            return Speaker(studio.link(), studio.deployed(), voice)

        with self._lock:
            return self._speakers.setdefault(server, Speakers(start))


def measured(clip: Path) -> ReferenceClip:
    """Length, outline and best stretch of a recording here; Problem where it cannot be one."""
    found = measure_clip(clip)
    if found is None:
        raise Problem("tui.speak.not_wav", ExitCode.DATA, file=clip.name)
    return ReferenceClip(str(clip), "", "", found.seconds, peaks=found.peaks, window=found.window)


def shown_piece(piece: Arrived) -> Piece:
    return Piece(
        piece.text, round(piece.seconds, 2), piece.ended, piece.reused, piece.attempts, piece.error
    )


def shown_shelf(server: str, voice: str, found: far.Shelf) -> Shelf:
    """A shelf as the dashboard holds it."""
    return Shelf(
        server, voice,
        tuple(map(shown_weight, found.weights.gpt)), tuple(map(shown_weight, found.weights.sovits)),
        tuple(
            ReferenceClip(
                one.path, one.text, one.language, one.seconds, one.score, one.peaks, one.window
            )
            for one in found.references
        ),
    )  # fmt: skip


def shown_weight(weight: Listed) -> Weight:
    step = _STEP.search(weight.name)
    return Weight(weight.name, weight.epoch, int(step[1]) if step else None, weight.bytes)
