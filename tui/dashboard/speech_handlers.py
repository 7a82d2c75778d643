"""Command handlers of the Speak and Audition screens."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.dashboard.playback_queue import PLAYBACK_GROUP
from sovdeck.tui.dashboard.service_host import ServiceHost
from sovdeck.tui.services.protocols import Cancel, Emit
from sovdeck.tui.state import commands
from sovdeck.tui.state.events import (
    AuditionEnded,
    NoticeRaised,
    StoreEvent,
    TakeChanged,
    TakeEnded,
    VoiceAssetsUnreadable,
    VoiceChosen,
)
from sovdeck.tui.state.pair_grid import weight_label
from sovdeck.tui.state.server_models import Remark
from sovdeck.tui.state.speech_models import TakeRow
from sovdeck.tui.state.state import State


def choose_voice(host: ServiceHost, command: commands.ChooseVoice) -> None:
    """Make a voice the current one of both screens."""
    host.emit(VoiceChosen(command.server, command.voice))


def read_voice_assets(host: ServiceHost, command: commands.ReadVoiceAssets) -> None:
    """List the weights and reference clips of a voice."""
    speech = host.services.speech

    def read(emit: Emit, cancel: Cancel) -> None:
        try:
            speech.list_voice_assets(command.server, command.voice, emit, cancel)
        except Problem as problem:
            why = Remark("bad", problem.message, problem.hint)
            emit(VoiceAssetsUnreadable(command.server, command.voice, why))
            raise

    host.tasks.run(_listing_group(command.server, command.voice), read)


def _listing_group(server: str, voice: str) -> str:
    return f"voice-assets:{server}/{voice}"


def find_microphones(host: ServiceHost, command: commands.FindMicrophones) -> None:
    """Look which microphones this computer has."""
    recordings = host.services.recordings
    host.tasks.run("recording", recordings.find)


def record_reference(host: ServiceHost, command: commands.RecordReference) -> None:
    """Record a reference; no effect while one is being recorded."""
    if host.tasks.is_running("recording"):
        return
    recordings = host.services.recordings
    host.tasks.run(
        "recording",
        lambda emit, cancel: recordings.record(
            command.microphones, command.microphone, emit, cancel
        ),
    )


def stop_recording(host: ServiceHost, command: commands.StopRecording) -> None:
    """End the recording that goes on, and keep it."""
    host.services.recordings.stop()


def measure_clip(host: ServiceHost, command: commands.MeasureClip) -> None:
    """Read a recording of this computer, to be trimmed."""
    speech = host.services.speech
    host.tasks.run("clip", lambda emit, cancel: speech.measure_clip(command.clip, emit, cancel))


def fetch_clip_to_trim(host: ServiceHost, command: commands.FetchClipToTrim) -> None:
    """Download a reference clip, to be trimmed here."""
    speech = host.services.speech
    host.tasks.run(
        "clip",
        lambda emit, cancel: speech.fetch_clip_to_trim(
            command.server, command.voice, command.clip, emit, cancel
        ),
    )


def upload_reference(host: ServiceHost, command: commands.UploadReference) -> None:
    """Send a recording of this computer as a reference."""
    speech = host.services.speech
    host.tasks.run(
        f"upload-reference:{command.server}/{command.voice}",
        lambda emit, cancel: speech.upload_reference(
            command.server, command.voice, command.upload, emit, cancel
        ),
    )


def name_reference(host: ServiceHost, command: commands.NameReference) -> None:
    """Give a reference clip a name, under which other programs ask for it."""
    speech = host.services.speech

    def name(emit: Emit, cancel: Cancel) -> None:
        speech.name_reference(
            command.server, command.voice, command.clip, command.name, emit, cancel
        )
        message = text("tui.notices.reference_named", voice=command.voice, name=command.name)
        emit(NoticeRaised("good", message, host.services.now()))

    host.tasks.run(f"name-reference:{command.server}/{command.voice}", name)


def play_reference(host: ServiceHost, command: commands.PlayReference) -> None:
    """Download a reference clip, once, and play it."""
    speech = host.services.speech

    def play(emit: Emit, cancel: Cancel) -> None:
        path = speech.fetch_clip(command.server, command.voice, command.clip, emit, cancel)
        host.playback.play_to_end(path, emit, cancel)

    host.tasks.run(PLAYBACK_GROUP, play)


def list_read_books(host: ServiceHost, command: commands.ListReadBooks) -> None:
    """List the books that a voice has read."""
    books = host.services.books
    host.tasks.run(
        "books", lambda emit, cancel: books.list_read(command.server, command.voice, emit, cancel)
    )


def play_sentence(host: ServiceHost, command: commands.PlaySentence) -> None:
    """Download a sentence of a book, once, and play it."""
    books = host.services.books

    def play(emit: Emit, cancel: Cancel) -> None:
        path = books.fetch_sentence(command.server, command.voice, command.row, emit, cancel)
        host.playback.play_to_end(path, emit, cancel)

    host.tasks.run(PLAYBACK_GROUP, play)


def revise_sentence(host: ServiceHost, command: commands.ReviseSentence) -> None:
    """Redo or keep a sentence; no effect while one of the same book is being revised."""
    group = f"revise:{command.server}/{command.row.folder}"
    books = host.services.books
    if not host.tasks.is_running(group):
        host.tasks.run(
            group,
            lambda emit, cancel: books.revise(
                command.server, command.voice, command.row, command.keep, emit, cancel
            ),
        )


def read_text(host: ServiceHost, command: commands.ReadText) -> None:
    """Ask how a text will be read; a later text takes the place of one that waits."""
    speech, request = host.services.speech, command.request
    host.tasks.run(
        f"reading:{request.server}", lambda emit, cancel: speech.read_text(request, emit, cancel)
    )


def speak(host: ServiceHost, command: commands.Speak) -> None:
    """Speak a take; no effect while the server speaks or a take waits there."""
    if (
        not _is_speaking(host, command.draft.server)
        and command.draft.server not in host.pending_takes
    ):
        take = TakeRow(host.next_take_id(), command.draft, host.services.now())
        _start_take(host, replace(take, aloud=command.aloud))


def speak_when_listed(host: ServiceHost, command: commands.SpeakWhenListed) -> None:
    """Queue a take until the weights are known; a second press changes the queued one."""
    draft = command.form.draft()
    if _is_speaking(host, draft.server):
        return

    def new_take() -> TakeRow:
        return TakeRow(host.next_take_id(), draft, host.services.now(), aloud=command.aloud)

    take = host.pending_takes.add(command.form, new_take)
    if take is not None:
        host.emit(TakeChanged(take))
    if not host.tasks.is_running(_listing_group(draft.server, draft.voice)):
        read_voice_assets(host, commands.ReadVoiceAssets(draft.server, draft.voice))


def speak_pending_takes(host: ServiceHost, state: State, events: Iterable[StoreEvent]) -> None:
    """Start the takes whose weights are known now; end those whose weights cannot be."""
    for take in host.pending_takes.pop_ready(state):
        if "gpt_weight" in take.draft.params and "sovits_weight" in take.draft.params:
            _start_take(host, take)
        else:
            message = text("tui.speak_screen.no_pair")
            host.emit(TakeEnded(take.id, "failed", Remark("bad", message)))
            host.emit(NoticeRaised("warning", message, host.services.now()))
    for event in events:
        if isinstance(event, VoiceAssetsUnreadable):
            cancelled = host.pending_takes.remove(event.server, event.voice)
            if cancelled is not None:
                host.emit(TakeEnded(cancelled.id, "failed", event.why))


def _is_speaking(host: ServiceHost, server: str) -> bool:
    return host.tasks.is_running(f"speak:{server}")


def _start_take(host: ServiceHost, take: TakeRow) -> None:
    speech, draft = host.services.speech, take.draft
    sound = host.playback.open_take(take.id) if take.aloud else None

    def speak_take(emit: Emit, cancel: Cancel) -> None:
        wav: list[Path] = []

        def emit_and_note(event: StoreEvent) -> None:
            if isinstance(event, TakeChanged) and event.take.wav is not None:
                wav.append(Path(event.take.wav))
            emit(event)

        emit(TakeChanged(replace(take, aloud=sound is not None)))
        why = None
        try:
            on_sound = None if sound is None else sound.write
            speech.speak(draft, take.id, emit_and_note, cancel, on_sound)
        except Problem as problem:
            why = Remark("bad", problem.message, problem.hint)
            raise
        finally:  # no effect on a take that has come to its own end
            emit(TakeEnded(take.id, "cancelled" if cancel.is_set() else "failed", why))
            if sound is not None and wav and not cancel.is_set():
                sound.end(wav[-1])
            elif sound is not None:
                sound.stop()

    host.tasks.run(f"speak:{draft.server}", speak_take)


def cancel_take(host: ServiceHost, command: commands.CancelTake) -> None:
    """Stop the take that is spoken or waits on a server."""
    waiting = host.pending_takes.remove(command.server)
    if waiting is not None:
        host.emit(TakeEnded(waiting.id, "cancelled"))
    host.tasks.cancel(f"speak:{command.server}")


def save_take(host: ServiceHost, command: commands.SaveTake) -> None:
    """Copy a take's file into a folder of the person's choice."""
    speech = host.services.speech

    def save(emit: Emit, cancel: Cancel) -> None:
        path = speech.save_take(command.wav, command.folder)
        message = text("tui.notices.take_saved", path=path)
        emit(NoticeRaised("good", message, host.services.now()))

    host.tasks.run(f"save:{command.wav}", save)


def recall_audition(host: ServiceHost, command: commands.RecallAudition) -> None:
    """Load the last audition of a voice, unless one is being rendered."""
    group = f"audition:{command.server}/{command.voice}"
    auditions = host.services.auditions
    if not host.tasks.is_running(group):  # a running grid is newer than the last one
        host.tasks.run(
            group,
            lambda emit, cancel: auditions.recall(command.server, command.voice, emit, cancel),
        )


def render_audition(host: ServiceHost, command: commands.RenderAudition) -> None:
    """Render an audition."""
    auditions, draft = host.services.auditions, command.draft

    def render(emit: Emit, cancel: Cancel) -> None:
        try:
            auditions.render(draft, emit, cancel)
        finally:
            emit(AuditionEnded(draft.server, draft.voice))

    host.tasks.run(f"audition:{draft.server}/{draft.voice}", render)


def cancel_audition(host: ServiceHost, command: commands.CancelAudition) -> None:
    """Stop the rendering on the server."""
    auditions = host.services.auditions
    host.tasks.run(
        f"stop-audition:{command.server}/{command.voice}",
        lambda emit, cancel: auditions.stop(command.server, command.voice, emit, cancel),
    )


def cast_vote(host: ServiceHost, command: commands.CastVote) -> None:
    """Count one blind vote."""
    auditions = host.services.auditions
    host.tasks.run(
        f"vote:{command.better.name}/{command.worse.name}",
        lambda emit, cancel: auditions.vote(
            command.server, command.voice, command.better, command.worse, emit, cancel
        ),
    )


def choose_pair(host: ServiceHost, command: commands.ChoosePair) -> None:
    """Choose the pair of weights that is packed."""
    auditions = host.services.auditions

    def choose(emit: Emit, cancel: Cancel) -> None:
        auditions.choose(command.server, command.voice, command.gpt, command.sovits, emit, cancel)
        message = text(
            "tui.notices.pair_chosen",
            voice=command.voice,
            gpt=weight_label(command.gpt),
            sovits=weight_label(command.sovits),
        )
        emit(NoticeRaised("good", message, host.services.now()))

    host.tasks.run(f"choose:{command.server}/{command.voice}", choose)


SPEECH_COMMAND_HANDLERS: dict[type, Callable[[Any, Any], None]] = {
    commands.ChooseVoice: choose_voice,
    commands.ReadVoiceAssets: read_voice_assets,
    commands.MeasureClip: measure_clip,
    commands.FindMicrophones: find_microphones,
    commands.RecordReference: record_reference,
    commands.StopRecording: stop_recording,
    commands.FetchClipToTrim: fetch_clip_to_trim,
    commands.UploadReference: upload_reference,
    commands.NameReference: name_reference,
    commands.PlayReference: play_reference,
    commands.ListReadBooks: list_read_books,
    commands.PlaySentence: play_sentence,
    commands.ReviseSentence: revise_sentence,
    commands.ReadText: read_text,
    commands.Speak: speak,
    commands.SpeakWhenListed: speak_when_listed,
    commands.CancelTake: cancel_take,
    commands.SaveTake: save_take,
    commands.RecallAudition: recall_audition,
    commands.RenderAudition: render_audition,
    commands.CancelAudition: cancel_audition,
    commands.CastVote: cast_vote,
    commands.ChoosePair: choose_pair,
}
