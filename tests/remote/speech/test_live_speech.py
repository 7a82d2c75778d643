"""The services of the Speak and Audition screens over a real server."""

from __future__ import annotations

import hashlib
import shutil
import threading
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
from servers import Place
from tiny_voice import VOICE, tone
from trip_steps import laptop

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.servers.server import ServerSession
from sovdeck.tui.services.live.services import live_services
from sovdeck.tui.services.protocols import Auditions, Speech
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.prompts import HostKeyPrompt, OfferPrompt, SecretPrompt
from sovdeck.tui.state.server_models import ServerDraft
from sovdeck.tui.state.speech_models import (
    AuditionDraft,
    ReadingRequest,
    ReadingRow,
    ReferenceUpload,
    SpeakDraft,
)

T = TypeVar("T")
SAY = {
    "text": "おはようございます。散歩に行きましょう。",
    "text_lang": "all_ja",
    "seed": 5,
    "slice": "zh_period",
}


class Person:
    def confirm_host_key(self, prompt: HostKeyPrompt) -> bool:
        return True

    def ask_secret(self, prompt: SecretPrompt) -> str | None:
        return None

    def accept_offer(self, prompt: OfferPrompt) -> bool:
        return False


class Reported:
    """Collects what services emit, and acts on it where a test wants to."""

    def __init__(self, react: Callable[[Any], None] = lambda _event: None) -> None:
        self.events: list[Any] = []
        self._react = react

    def __call__(self, event: Any) -> None:
        self.events.append(event)
        self._react(event)

    def all(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture(scope="module")
def screens(
    session: ServerSession, embedded: Place, work: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Speech, Auditions, Path]]:
    """Both services, and the laptop's folder of voices. `session` has deployed the server."""
    folder = tmp_path_factory.mktemp("services")
    places, project = laptop(folder, work)
    with live_services(project, places) as services:
        draft = ServerDraft(embedded.spec.format(), "box")
        services.servers.add(draft, Person(), Reported(), threading.Event())
        assert services.speech is not None and services.auditions is not None
        yield services.speech, services.auditions, folder / "voices"
    deadline = time.monotonic() + 60
    while any(
        {"--serve", "phones"} & {*(p.info["cmdline"] or ())} and str(work) in p.info["cmdline"]
        for p in psutil.process_iter(["cmdline"])
    ):
        assert time.monotonic() < deadline, "leaving the dashboard unloads the voice"
        time.sleep(0.1)


@pytest.mark.long
def test_takes_grow_by_sentences_and_can_be_kept(screens: tuple[Speech, Auditions, Path]) -> None:
    speech, _, voices = screens
    reported, cancel = Reported(), threading.Event()
    speech.list_voice_assets("box", VOICE, reported, cancel)
    voice_assets = reported.all(ev.VoiceAssetsSeen)[-1].assets
    assert [(w.epoch, w.step) for w in voice_assets.sovits] == [(2, 200), (10, 1000)]
    draft = SpeakDraft("box", VOICE, SAY)
    speech.speak(draft, "t1", reported, cancel)
    states = [event.take for event in reported.all(ev.TakeChanged)]
    # Its start, its first sound, each sentence, its end.
    assert [len(take.sentences) for take in states] == [0, 0, 1, 2, 2]
    assert [take.first_audio_s is None for take in states] == [True, False, False, False, False]
    take = states[-1]
    assert take.state == "done" and take.id == "t1" and take.seed == 5 and take.first_audio_s
    assert take.wav == str(voices / VOICE / "takes" / "Test-001.wav") and max(take.peaks) > 0
    with wave.open(take.wav, "rb") as sound:
        assert sound.getnframes() / 32_000 == pytest.approx(take.seconds, abs=0.02)
    kept = [speech.save_take(Path(take.wav), voices / "kept") for _ in range(2)]
    assert [path.name for path in kept] == ["Test-001.wav", "Test-001 (2).wav"]
    assert kept[0].read_bytes() == kept[1].read_bytes() == Path(take.wav).read_bytes()


@pytest.mark.long
def test_a_cancelled_take_leaves_no_file_and_the_voice_loaded(
    screens: tuple[Speech, Auditions, Path],
) -> None:
    speech, _, voices = screens
    cancel = threading.Event()

    def after_one(event: Any) -> None:
        if isinstance(event, ev.TakeChanged) and event.take.sentences:
            cancel.set()

    reported = Reported(after_one)
    before = sorted((voices / VOICE / "takes").iterdir())
    long = {**SAY, "text": "おはようございます。" * 40}
    speech.speak(SpeakDraft("box", VOICE, long), "t2", reported, cancel)
    assert reported.all(ev.TakeChanged)[-1].take.state == "speaking"
    assert sorted((voices / VOICE / "takes").iterdir()) == before
    again = Reported()
    speech.speak(SpeakDraft("box", VOICE, SAY), "t3", again, threading.Event())
    assert again.all(ev.TakeChanged)[-1].take.state == "done"


@pytest.mark.long
def test_a_recording_is_measured_uploaded_and_heard(
    screens: tuple[Speech, Auditions, Path], tmp_path: Path
) -> None:
    speech, _, _ = screens
    reported, cancel = Reported(), threading.Event()
    clip = tmp_path / "long one.wav"
    clip.write_bytes(tone(12.0))
    speech.measure_clip(clip, reported, cancel)
    measured = reported.all(ev.ClipMeasured)[-1].clip
    assert measured.seconds == pytest.approx(12.0) and measured.window is not None
    speech.upload_reference(
        "box", VOICE, ReferenceUpload(clip, measured.window, "la la", "en"), reported, cancel
    )
    uploaded = reported.all(ev.VoiceAssetsSeen)[-1].assets.references[0]
    assert Path(uploaded.path).name == "long one.wav" and uploaded.seconds == pytest.approx(6.0)
    assert (uploaded.text, uploaded.language) == ("la la", "en")
    here = speech.fetch_clip("box", VOICE, uploaded.path, reported, cancel)
    assert here.read_bytes() == Path(uploaded.path).read_bytes()
    assert here.stem == f"long one-{hashlib.sha256(here.read_bytes()).hexdigest()[:8]}"
    speech.fetch_clip_to_trim("box", VOICE, uploaded.path, reported, cancel)
    brought = reported.all(ev.ClipMeasured)[-1].clip
    assert (brought.path, brought.came_from) == (str(here), uploaded.path)
    assert brought.text == "la la" and brought.peaks and brought.window is None
    with pytest.raises(Problem) as refused:
        speech.fetch_clip("box", VOICE, "/etc/hostname", reported, cancel)
    assert refused.value.key == "engine.speaking.reference_missing"
    short = tmp_path / "short.wav"
    short.write_bytes(tone(1.0))
    with pytest.raises(Problem, match="1.0 s long"):
        speech.measure_clip(short, reported, cancel)


@pytest.mark.long
def test_an_audition_grows_is_stopped_goes_on_and_is_decided(
    screens: tuple[Speech, Auditions, Path], work: Path
) -> None:
    _, auditions, voices = screens
    cancel = threading.Event()
    reported = Reported(lambda event: cancel.set() if event.audition.cells else None)
    draft = AuditionDraft("box", VOICE, texts=("さようなら。", "-はい。"), text_language="all_ja")
    auditions.render(draft, reported, cancel)  # as if the dashboard was closed at the first cell
    seen = reported.all(ev.AuditionChanged)[-1].audition
    assert seen.total == 11 and seen.running, "leaving ends nothing on the server"
    auditions.stop("box", VOICE, reported, threading.Event())

    reported = Reported()
    auditions.render(draft, reported, threading.Event())
    rows = reported.all(ev.AuditionChanged)[-1].audition
    assert not rows.running and len(rows.cells) == 11 and len(rows.standings) == 4
    assert all(Path(c.wav or "").parent == voices / VOICE / "audition" for c in rows.cells)
    kinds = [cell.kind for cell in rows.cells]
    assert kinds == ["truth", *["cell"] * 8, "base", "base"]
    assert rows.cells[1].metrics["ended"] in (True, False)

    worst = rows.standings[-1]
    better = next(c for c in rows.cells if (c.gpt, c.sovits) == (worst.gpt, worst.sovits))
    worse = next(
        c
        for c in rows.cells
        if c.kind == "cell" and c.sentence == better.sentence and c.sovits != better.sovits
    )
    reported = Reported()
    auditions.vote("box", VOICE, better, worse, reported, threading.Event())
    voted = reported.all(ev.AuditionChanged)[-1].audition
    assert len(voted.cells) == 11 and sum(one.won for one in voted.standings) >= 1
    auditions.choose("box", VOICE, worst.gpt, worst.sovits, reported, threading.Event())
    assert reported.all(ev.AuditionChanged)[-1].audition.chosen == (worst.gpt, worst.sovits)
    reported = Reported()
    auditions.recall("box", VOICE, reported, threading.Event())
    again = reported.all(ev.AuditionChanged)[-1].audition
    assert again.chosen == (worst.gpt, worst.sovits) and len(again.cells) == 11
    (work / "logs" / VOICE / "chosen.json").unlink()
    shutil.rmtree(work / "auditions" / VOICE)  # the next test finds none


@pytest.mark.long
def test_a_voice_without_an_audition_shows_an_empty_one(
    screens: tuple[Speech, Auditions, Path],
) -> None:
    reported = Reported()
    screens[1].recall("box", "Nobody", reported, threading.Event())
    assert reported.all(ev.AuditionChanged)[-1].audition.cells == ()


def read(speech: Speech, text: str, language: str = "all_ja", server: str = "box") -> ReadingRow:
    reported = Reported()
    request = ReadingRequest(server, VOICE, text, language)
    speech.read_text(request, reported, threading.Event())
    (event,) = reported.all(ev.TextRead)
    assert event.reading.request == request
    return event.reading


@pytest.mark.long
def test_the_server_reads_a_text_as_it_would_be_spoken(
    screens: tuple[Speech, Auditions, Path], work: Path
) -> None:
    speech = screens[0]
    first = read(speech, "2024/2/2は\nмир")
    assert first.pieces == (("ja", "2024年2月2日は мир"),)
    assert first.lost == (("м", 10), ("и", 11), ("р", 12))
    assert read(speech, "5kg\tya", "all_zh").pieces == (("zh", "五千克"), ("en", "ya"))
    # One process there reads them all; a text it refuses costs only itself.
    assert read(speech, "あ", "klingon").pieces is None
    assert read(speech, "あ" * 5000).pieces == (("ja", "あ" * 1000),)
    readers = [p for p in psutil.process_iter(["cmdline"]) if "phones" in (p.info["cmdline"] or ())]
    assert len([p for p in readers if str(work) in p.info["cmdline"]]) == 1
    # Where there is no answer the line stays empty; the next text starts another reader.
    for process in readers:
        process.kill()
    assert read(speech, "あ").pieces is None
    assert read(speech, "あ").pieces == (("ja", "あ"),)
    assert read(speech, "あ", server="nowhere").pieces is None


@pytest.mark.long
def test_of_texts_that_wait_only_the_last_is_read(
    screens: tuple[Speech, Auditions, Path],
) -> None:
    reported, later = Reported(), threading.Event()
    later.set()
    screens[0].read_text(ReadingRequest("box", VOICE, "あ", "all_ja"), reported, later)
    assert reported.events == []
