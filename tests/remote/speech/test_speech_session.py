"""A resident speaker over a real SSH channel: what it says, and that it ends with its channel."""

from __future__ import annotations

import threading
import time
import wave
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from servers import CutProxy, Place
from tiny_voice import VOICE, tiny_models, write_epoch

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.errors import ConnectionLost
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech.json_lines import EngineProblem
from sovdeck.remote.speech.speech_session import SpeechChunk, SpeechSession
from sovdeck.remote.speech.speech_session_pool import SpeechSessionPool
from sovdeck.remote.speech.takes import TakeFile, peaks, takes_folder

SAY = {"text": "おはようございます。", "text_lang": "all_ja", "seed": 5}
LONG = {**SAY, "text": "おはようございます。" * 30, "slice": "zh_period"}
CPU = ("--device", "cpu")


def start(session: ServerSession, voice: str = VOICE) -> SpeechSession:
    return SpeechSession(session.connection(), session.require_deployment(), voice, CPU)


def processes(work: Path) -> list[int]:
    """Speakers of this work folder that live on the server, which is this computer."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if "--serve" in words and str(work) in words and "zombie" not in process.info["status"]:
            found.append(process.pid)
    return found


def gone(work: Path) -> bool:
    deadline = time.monotonic() + 60
    while processes(work):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_sentences_arrive_one_by_one_and_the_take_is_the_servers(
    session: ServerSession, work: Path, tmp_path: Path
) -> None:
    heard: list[SpeechChunk] = []
    with start(session) as speaker, TakeFile.next_in(tmp_path, VOICE) as take:

        def on_piece(piece: SpeechChunk) -> None:
            heard.append(piece)
            take.add_chunk(piece)

        text = "おはようございます。散歩に行きましょう。"
        spoken = speaker.speak({**SAY, "text": text, "slice": "zh_period"}, on_piece)
        path = take.finish(spoken)
        assert path.name == "Test-001.wav" and path.read_bytes() == (work / spoken.wav).read_bytes()
        assert len(heard) == 2 and spoken.seed == 5
        assert spoken.seconds == pytest.approx(sum(piece.seconds for piece in heard), abs=0.01)
        sounds: list[bytes] = []
        again = speaker.speak(
            {**SAY, "text": text, "slice": "zh_period", "speed": 1.2, "rerender_last": True},
            heard.append,
            on_sound=sounds.append,
        )
        assert len(sounds) > 2, "below a sentence"
        assert b"".join(sounds) == b"".join(piece.pcm for piece in heard[2:])
        assert [piece.reused for piece in heard] == [False, False, True, True]
        assert again.seconds < spoken.seconds
    assert list(tmp_path.iterdir()) == [path] and 0 < max(peaks(path)) <= 1
    with wave.open(str(path), "rb") as sound:
        assert (sound.getframerate(), sound.getnchannels()) == (32_000, 1)
    assert gone(work), "closing ends the process on the server"


@pytest.mark.long
def test_weights_exported_meanwhile_are_listed_and_spoken_with(
    session: ServerSession, work: Path
) -> None:
    with start(session) as speaker:
        before = speaker.weights()
        assert [one.epoch for one in before.sovits] == [2, 10]
        assert before.loaded == ("Test-e10.ckpt", "Test_e10_s1000.pth")
        write_epoch(work, tiny_models(), 12)
        assert [one.epoch for one in speaker.weights().gpt] == [2, 10, 12]
        assert speaker.load(gpt="", sovits="").loaded == ("Test-e12.ckpt", "Test_e12_s1200.pth")
        assert speaker.load(sovits="Test_e2_s200.pth").loaded == (
            "Test-e12.ckpt",
            "Test_e2_s200.pth",
        )
        assert speaker.speak(SAY, lambda _: None).seconds > 0
    for path in (*work.glob("*_weights/Test/*e12*"),):
        path.unlink()


def test_a_voice_that_is_not_there_is_refused_at_the_door(
    session: ServerSession, work: Path
) -> None:
    with pytest.raises(EngineProblem) as refused:
        start(session, "Nobody")
    assert refused.value.key == "engine.pack.no_voice"
    assert gone(work)


@pytest.mark.long
def test_a_cancelled_take_leaves_the_voice_loaded(session: ServerSession) -> None:
    cancel = threading.Event()
    heard: list[SpeechChunk] = []
    with start(session) as speaker:
        with pytest.raises(Problem) as ended:
            speaker.speak(LONG, lambda piece: (heard.append(piece), cancel.set())[0], cancel)
        assert ended.value.exit_code is ExitCode.INTERRUPTED and len(heard) < 30
        assert speaker.speak(SAY, lambda _: None).seconds > 0


@pytest.mark.long
def test_a_cut_link_ends_the_speaker_there_and_the_take_here(
    session: ServerSession,
    work: Path,
    embedded: Place,
    cut_proxy: Callable[[Place], CutProxy],
    tmp_path: Path,
) -> None:
    proxy = cut_proxy(embedded)
    link = embedded.through(proxy).connect()
    speaker = SpeechSession(link, session.require_deployment(), VOICE, CPU)
    assert processes(work)
    with pytest.raises(ConnectionLost), TakeFile.next_in(tmp_path, VOICE) as take:
        speaker.speak(LONG, lambda piece: (take.add_chunk(piece), proxy.reset())[0])
    assert list(tmp_path.iterdir()) == []
    assert gone(work), "a speaker nobody can reach must not stay"
    link.close()


def test_a_killed_speaker_says_that_it_ended(session: ServerSession, work: Path) -> None:
    speaker = start(session)
    for pid in processes(work):
        psutil.Process(pid).kill()
    with pytest.raises(Problem) as ended:
        speaker.speak(SAY, lambda _: None)
    assert ended.value.key == "remote.speak.killed"
    speaker.close()


@pytest.mark.long
def test_one_speaker_serves_many_takes_and_ends_when_idle(
    session: ServerSession, work: Path
) -> None:
    started: list[str] = []

    def begin(voice: str) -> SpeechSession:
        started.append(voice)
        return start(session, voice)

    speakers = SpeechSessionPool(begin, idle_s=3600)
    for _ in range(2):
        with speakers.acquire(VOICE) as speaker:
            speaker.speak(SAY, lambda _: None)
    assert started == [VOICE]
    for pid in processes(work):
        psutil.Process(pid).kill()
    with speakers.acquire(VOICE) as speaker:
        assert speaker.speak(SAY, lambda _: None).seconds > 0
    assert started == [VOICE] * 2, "one that died is started anew"
    speakers.release()
    assert gone(work)
    short = SpeechSessionPool(begin, idle_s=0.01)
    with short.acquire(VOICE):
        pass
    assert gone(work), "an idle speaker gives its memory back"
    speakers.close()


def test_takes_are_numbered_beside_each_other(tmp_path: Path) -> None:
    folder = takes_folder(tmp_path, VOICE)
    folder.mkdir(parents=True)
    (folder / "Test-001.wav").write_bytes(b"kept")
    with TakeFile.next_in(folder, VOICE) as one, TakeFile.next_in(folder, VOICE) as two:
        assert (one.path.name, two.path.name) == ("Test-002.wav", "Test-003.wav")
    assert [path.name for path in folder.iterdir()] == ["Test-001.wav"]
