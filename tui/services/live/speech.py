"""Speech on real servers: one loaded voice a server, takes saved on this computer."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.voice_assets import ReferenceClip
from sovdeck.remote.filenames import safe_name
from sovdeck.remote.preflight.other_runs import beside_text, find_active_runs
from sovdeck.remote.speech import voice_assets as remote_assets
from sovdeck.remote.speech.reference_clip import measure_clip
from sovdeck.remote.speech.speech_session import SpeechChunk, SpeechSession
from sovdeck.remote.speech.speech_session_pool import SpeechSessionPool
from sovdeck.remote.speech.takes import TakeFile, peaks, takes_folder
from sovdeck.remote.speech.text_reader import TextReader, TextReaderPool
from sovdeck.remote.transfer.download.part_file import disk_errors
from sovdeck.remote.transfer.download.small_file import fetch_small_file
from sovdeck.tui.services.connections import ConnectionRegistry, now_ms
from sovdeck.tui.services.protocols import Cancel, Emit
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.server_models import Remark
from sovdeck.tui.state.speech_models import (
    ReadingRequest,
    ReadingRow,
    ReferenceUpload,
    SpeakDraft,
    TakeRow,
    TakeSentence,
    VoiceAssetsState,
)


class LiveSpeech:
    """Speaks over a pool of speech sessions for each server."""

    def __init__(self, connections: ConnectionRegistry) -> None:
        self._connections = connections
        self._lock = threading.Lock()
        self._session_pools: dict[str, SpeechSessionPool] = {}
        self._text_readers: dict[str, TextReaderPool] = {}
        self._clips: dict[tuple[str, str], dict[str, ReferenceClip]] = {}

    def list_voice_assets(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        """Emit the weights and reference clips of a voice."""
        found = remote_assets.read_voice_assets(self._connections.session(server), voice)
        self._clips[server, voice] = {one.path: one for one in found.references}
        weights = found.weights
        state = VoiceAssetsState(server, voice, weights.gpt, weights.sovits, found.references)
        emit(ev.VoiceAssetsSeen(state, now_ms()))

    def measure_clip(self, clip: Path, emit: Emit, cancel: Cancel) -> None:
        """Emit length, waveform and best window of a recording here."""
        emit(ev.ClipMeasured(measure_local_clip(clip)))

    def fetch_clip_to_trim(
        self, server: str, voice: str, clip: str, emit: Emit, cancel: Cancel
    ) -> None:
        """Download and measure a reference clip."""
        found = measure_local_clip(self.fetch_clip(server, voice, clip, emit, cancel))
        there = self._clips[server, voice][clip]
        known = replace(found, text=there.text, language=there.language, came_from=clip)
        emit(ev.ClipMeasured(known))

    def upload_reference(
        self, server: str, voice: str, upload: ReferenceUpload, emit: Emit, cancel: Cancel
    ) -> None:
        """Send the kept part of a recording, then list the references anew."""
        remote_assets.upload_reference(
            self._connections.session(server),
            voice,
            upload.clip,
            window=upload.window,
            text=upload.text,
            language=upload.language,
            cancel=cancel,
        )
        self.list_voice_assets(server, voice, emit, cancel)

    def name_reference(
        self, server: str, voice: str, clip: str, name: str, emit: Emit, cancel: Cancel
    ) -> None:
        """Name the clip there, then list the references anew."""
        remote_assets.name_reference(self._connections.session(server), voice, clip, name)
        self.list_voice_assets(server, voice, emit, cancel)

    def fetch_clip(self, server: str, voice: str, clip: str, emit: Emit, cancel: Cancel) -> Path:
        """Download a reference clip, verified by its SHA-256; kept for the next time."""
        session = self._connections.session(server)
        known = self._clips.get((server, voice), {})
        if clip not in known:
            self.list_voice_assets(server, voice, emit, cancel)
            known = self._clips[server, voice]
        if clip not in known:
            raise Problem("engine.speaking.reference_missing", ExitCode.DATA, file=clip)
        one = known[clip]
        there = PurePosixPath(clip)
        name = safe_name(f"{there.stem}-{one.sha256[:8]}{there.suffix}")
        local = session.app_paths.data_folder / "references" / name
        return fetch_small_file(session.connection, clip, local, size=one.bytes, sha256=one.sha256)

    def read_text(self, request: ReadingRequest, emit: Emit, cancel: Cancel) -> None:
        """Ask the server's resident reader; where it cannot say, emit a row without pieces."""
        try:
            with self._lock:
                readers = self._text_readers.setdefault(request.server, TextReaderPool())
            session = self._connections.session(request.server)

            def start() -> TextReader:
                deployed = session.require_deployment()
                return TextReader(session.connection(), deployed, request.voice)

            found = readers.read(request.voice, start, request.text, request.language, cancel)
        except Problem:
            # The take itself will say what is wrong; a line under the text is no place for it.
            emit(ev.TextRead(ReadingRow(request)))
            return
        if found is not None:
            emit(ev.TextRead(ReadingRow(request, found.pieces, found.lost)))

    def speak(
        self,
        draft: SpeakDraft,
        take: str,
        emit: Emit,
        cancel: Cancel,
        on_sound: Callable[[bytes], None] | None = None,
    ) -> None:
        """Speak a take into a new file; emit it at its first sound, each sentence and the end."""
        session = self._connections.session(draft.server)
        folder = takes_folder(session.outputs, draft.voice)
        row = TakeRow(take, draft, now_ms(), "speaking", aloud=on_sound is not None)
        emit(ev.TakeChanged(row))

        def tell_active_runs() -> None:
            for run in find_active_runs(session):
                emit(ev.NoticeRaised("note", beside_text(session, run), now_ms()))

        pool = self._session_pool(draft.server)
        with pool.acquire(draft.voice, tell_active_runs) as speech_session:
            if cancel.is_set():
                return
            with TakeFile.next_in(folder, draft.voice) as file:
                started_at = time.monotonic()

                def note_first_sound() -> None:
                    nonlocal row
                    if row.first_audio_s is None:
                        row = replace(row, first_audio_s=round(time.monotonic() - started_at, 3))
                        emit(ev.TakeChanged(row))

                def hear(samples: bytes) -> None:
                    note_first_sound()
                    if on_sound is not None:
                        on_sound(samples)

                def on_chunk(chunk: SpeechChunk) -> None:
                    nonlocal row
                    file.add_chunk(chunk)
                    note_first_sound()
                    row = replace(row, sentences=(*row.sentences, to_take_sentence(chunk)))
                    emit(ev.TakeChanged(row))

                try:
                    result = speech_session.speak(draft.params, on_chunk, cancel, hear)
                except Problem:
                    if cancel.is_set():
                        return
                    raise
                wav = file.finish(result)
        emit(
            ev.TakeChanged(
                replace(
                    row,
                    state="done",
                    seconds=round(result.seconds, 2),
                    seed=result.seed,
                    wav=str(wav),
                    peaks=peaks(wav),
                    notices=tuple(
                        Remark("warning", notice.message, notice.hint) for notice in result.notices
                    ),
                )
            )
        )

    def save_take(self, wav: Path, folder: Path) -> Path:
        """Copy a take under a name that is free in `folder`."""
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

    def close(self) -> None:
        """Close all speech sessions."""
        with self._lock:
            for pool in self._session_pools.values():
                pool.close()
            for readers in self._text_readers.values():
                readers.close()

    def _session_pool(self, server: str) -> SpeechSessionPool:
        def start(voice: str) -> SpeechSession:
            session = self._connections.session(server)
            return SpeechSession(session.connection(), session.require_deployment(), voice)

        with self._lock:
            return self._session_pools.setdefault(server, SpeechSessionPool(start))


def measure_local_clip(clip: Path) -> ReferenceClip:
    """Length, waveform and best window of a recording here; Problem where it is not one."""
    found = measure_clip(clip)
    if found is None:
        raise Problem("tui.speak.not_wav", ExitCode.DATA, file=clip.name)
    return ReferenceClip(str(clip), "", "", found.seconds, peaks=found.peaks, window=found.window)


def to_take_sentence(chunk: SpeechChunk) -> TakeSentence:
    """A spoken chunk as the dashboard holds it."""
    return TakeSentence(
        chunk.text, round(chunk.seconds, 2), chunk.ended, chunk.reused, chunk.attempts, chunk.error
    )
