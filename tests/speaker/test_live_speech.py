"""The Speak and Audition rooms' services over a real server."""

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
from trip_ground import laptop

from engine.contract.problem import Problem
from remote.studio import Studio
from tui.services.live import live_services
from tui.services.protocols import HostKeyQuestion, SecretQuestion, ServerDraft
from tui.services.speech import Auditions, Speech
from tui.state import events as ev
from tui.state.speech import AuditionDraft, Loan, SpeakDraft

T = TypeVar("T")
SAY = {"text": "おはようございます。散歩に行きましょう。", "text_lang": "all_ja", "seed": 5,
       "slice": "zh_period"}  # fmt: skip


class Person:
    def host_key(self, question: HostKeyQuestion) -> bool:
        return True

    def secret(self, question: SecretQuestion) -> str | None:
        return None


class Told:
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
def rooms(
    desk: Studio, embedded: Place, work: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Speech, Auditions, Path]]:
    """Both services, and the laptop's folder of voices. `desk` has deployed the server."""
    folder = tmp_path_factory.mktemp("rooms")
    places, project = laptop(folder, work)
    with live_services(project, places) as services:
        draft = ServerDraft(embedded.spec.format(), "box")
        services.servers.add(draft, Person(), Told(), threading.Event())
        assert services.speech is not None and services.auditions is not None
        yield services.speech, services.auditions, folder / "voices"
    deadline = time.monotonic() + 60
    while any("--serve" in (p.info["cmdline"] or ()) and str(work) in p.info["cmdline"]
              for p in psutil.process_iter(["cmdline"])):  # fmt: skip
        assert time.monotonic() < deadline, "leaving the dashboard unloads the voice"
        time.sleep(0.1)


def test_takes_grow_by_sentences_and_can_be_kept(rooms: tuple[Speech, Auditions, Path]) -> None:
    speech, _, voices = rooms
    told, cancel = Told(), threading.Event()
    speech.shelf("box", VOICE, told, cancel)
    shelf = told.all(ev.ShelfSeen)[-1].shelf
    assert [(w.epoch, w.step) for w in shelf.sovits] == [(2, 200), (10, 1000)]
    draft = SpeakDraft("box", VOICE, SAY)
    speech.speak(draft, "t1", told, cancel)
    states = [event.take for event in told.all(ev.TakeChanged)]
    assert [len(take.pieces) for take in states] == [0, 1, 2, 2]
    take = states[-1]
    assert take.state == "done" and take.id == "t1" and take.seed == 5 and take.first_audio_s
    assert take.wav == str(voices / VOICE / "takes" / "Test-001.wav") and max(take.peaks) > 0
    with wave.open(take.wav, "rb") as sound:
        assert sound.getnframes() / 32_000 == pytest.approx(take.seconds, abs=0.02)
    kept = [speech.save(Path(take.wav), voices / "kept") for _ in range(2)]
    assert [path.name for path in kept] == ["Test-001.wav", "Test-001 (2).wav"]
    assert kept[0].read_bytes() == kept[1].read_bytes() == Path(take.wav).read_bytes()


def test_a_cancelled_take_leaves_no_file_and_the_voice_loaded(
    rooms: tuple[Speech, Auditions, Path],
) -> None:
    speech, _, voices = rooms
    cancel = threading.Event()

    def after_one(event: Any) -> None:
        if isinstance(event, ev.TakeChanged) and event.take.pieces:
            cancel.set()

    told = Told(after_one)
    before = sorted((voices / VOICE / "takes").iterdir())
    long = {**SAY, "text": "おはようございます。" * 40}
    speech.speak(SpeakDraft("box", VOICE, long), "t2", told, cancel)
    assert told.all(ev.TakeChanged)[-1].take.state == "speaking"
    assert sorted((voices / VOICE / "takes").iterdir()) == before
    again = Told()
    speech.speak(SpeakDraft("box", VOICE, SAY), "t3", again, threading.Event())
    assert again.all(ev.TakeChanged)[-1].take.state == "done"
    speech.release("box")


def test_a_recording_is_measured_lent_and_heard(
    rooms: tuple[Speech, Auditions, Path], tmp_path: Path
) -> None:
    speech, _, _ = rooms
    told, cancel = Told(), threading.Event()
    clip = tmp_path / "long one.wav"
    clip.write_bytes(tone(12.0))
    speech.measure(clip, told, cancel)
    measured = told.all(ev.ClipMeasured)[-1].clip
    assert measured.seconds == pytest.approx(12.0) and measured.window is not None
    speech.lend("box", VOICE, Loan(clip, measured.window, "la la", "en"), told, cancel)
    lent = told.all(ev.ShelfSeen)[-1].shelf.references[0]
    assert Path(lent.path).name == "long one.wav" and lent.seconds == pytest.approx(6.0)
    assert (lent.text, lent.language) == ("la la", "en")
    here = speech.fetch("box", VOICE, lent.path, told, cancel)
    assert here.read_bytes() == Path(lent.path).read_bytes()
    assert here.stem == f"long one-{hashlib.sha256(here.read_bytes()).hexdigest()[:8]}"
    speech.bring("box", VOICE, lent.path, told, cancel)
    brought = told.all(ev.ClipMeasured)[-1].clip
    assert (brought.path, brought.came_from) == (str(here), lent.path)
    assert brought.text == "la la" and brought.peaks and brought.window is None
    with pytest.raises(Problem) as refused:
        speech.fetch("box", VOICE, "/etc/hostname", told, cancel)
    assert refused.value.key == "engine.speaking.reference_missing"
    short = tmp_path / "short.wav"
    short.write_bytes(tone(1.0))
    with pytest.raises(Problem, match="1.0 s long"):
        speech.measure(short, told, cancel)


def test_an_audition_grows_is_stopped_goes_on_and_is_decided(
    rooms: tuple[Speech, Auditions, Path], work: Path
) -> None:
    _, auditions, voices = rooms
    cancel = threading.Event()
    told = Told(lambda event: cancel.set() if event.audition.cells else None)
    draft = AuditionDraft("box", VOICE, texts=("さようなら。", "-はい。"), text_language="all_ja")
    auditions.render(draft, told, cancel)  # as if the dashboard was closed at the first cell
    seen = told.all(ev.AuditionChanged)[-1].audition
    assert seen.total == 11 and seen.running, "leaving ends nothing on the server"
    auditions.stop("box", VOICE, told, threading.Event())

    told = Told()
    auditions.render(draft, told, threading.Event())
    rows = told.all(ev.AuditionChanged)[-1].audition
    assert not rows.running and len(rows.cells) == 11 and len(rows.standings) == 4
    assert all(Path(c.wav or "").parent == voices / VOICE / "audition" for c in rows.cells)
    kinds = [cell.kind for cell in rows.cells]
    assert kinds == ["truth", *["cell"] * 8, "base", "base"]
    assert rows.cells[1].marks["ended"] in (True, False)

    worst = rows.standings[-1]
    better = next(c for c in rows.cells if (c.gpt, c.sovits) == (worst.gpt, worst.sovits))
    worse = next(
        c for c in rows.cells
        if c.kind == "cell" and c.sentence == better.sentence and c.sovits != better.sovits
    )  # fmt: skip
    told = Told()
    auditions.vote("box", VOICE, better, worse, told, threading.Event())
    voted = told.all(ev.AuditionChanged)[-1].audition
    assert len(voted.cells) == 11 and sum(one.won for one in voted.standings) >= 1
    auditions.choose("box", VOICE, worst.gpt, worst.sovits, told, threading.Event())
    assert told.all(ev.AuditionChanged)[-1].audition.chosen == (worst.gpt, worst.sovits)
    told = Told()
    auditions.recall("box", VOICE, told, threading.Event())
    again = told.all(ev.AuditionChanged)[-1].audition
    assert again.chosen == (worst.gpt, worst.sovits) and len(again.cells) == 11
    (work / "logs" / VOICE / "chosen.json").unlink()
    shutil.rmtree(work / "auditions" / VOICE)  # the next test finds none


def test_a_voice_without_an_audition_shows_an_empty_one(
    rooms: tuple[Speech, Auditions, Path],
) -> None:
    told = Told()
    rooms[1].recall("box", "Nobody", told, threading.Event())
    assert told.all(ev.AuditionChanged)[-1].audition.cells == ()
