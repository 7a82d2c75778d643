"""`sovdeck read` as a person types it: chapters land here, whatever happens on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from laptop_command import Laptop
from servers import Place
from tiny_voice import VOICE
from trip_steps import laptop

from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech.book_revision import fetch_sentence, list_read_books, revise

BOOK = "第一章\nおはようございます。\n散歩に行きましょう。\n第二章\n今日は雨です。\nまた明日。\n"
TEXTS = [
    *("第一章", "おはようございます。", "散歩に行きましょう。"),
    *("第二章", "今日は雨です。", "また明日。"),
]
JA = ("--text-lang", "all_ja", "--device", "cpu", "--format", "wav")
LIMIT_S = 240.0


@pytest.fixture(scope="module")
def sovdeck(
    session: ServerSession, embedded: Place, work: Path, tmp_path_factory: pytest.TempPathFactory
) -> Laptop:
    """Another laptop; the server is deployed by `session` already."""
    home = tmp_path_factory.mktemp("home")
    _, project = laptop(home, work)
    found = Laptop(home, project)
    accept = ("--accept-host-key", embedded.fingerprint)
    added = found("server", "add", embedded.spec.format(), "--name", "box", *accept)
    assert added.returncode == 0, added.stderr
    return found


@pytest.fixture
def book(sovdeck: Laptop, work: Path) -> Iterator[Path]:
    """The book, and no reading of it on the server."""
    path = sovdeck.home / "Tag und Nacht.txt"
    path.write_text(BOOK, encoding="utf-8")
    yield path
    shutil.rmtree(work / "takes" / VOICE / "books", ignore_errors=True)


def sounds(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("0*.*"))}


def engines(work: Path) -> list[int]:
    """Process ids of engines that read a book below this work folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        # The supervisor's own command line holds the engine's.
        engine = words[1:4] == ["-m", "sovdeck.engine", "read"] and str(work) in words
        if engine and process.info["status"] != "zombie":
            found.append(process.pid)
    return found


@pytest.mark.long
def test_chapters_land_here_and_a_second_call_speaks_nothing(
    sovdeck: Laptop, book: Path, work: Path
) -> None:
    into = sovdeck.home / "book"
    events = sovdeck.events("read", "box", VOICE, str(book), "--into", str(into), *JA)
    done = events[-1]
    assert (done["chapters"], done["sentences"], done["fresh"]) == (2, 6, 6)
    assert done["folder"] == str(into)
    assert [e["text"] for e in events if e.get("event") == "sentence"] == TEXTS
    names = [f"00{n} 第{c}章.{s}" for n, c in ((1, "一"), (2, "二")) for s in ("srt", "vtt", "wav")]
    assert list(sounds(into)) == names
    (there,) = (work / "takes" / VOICE / "books").iterdir()
    assert (into / names[2]).read_bytes() == (there / "001.wav").read_bytes()
    with wave.open(str(into / names[2])) as sound:
        assert sound.getframerate() == 32_000 and sound.getnframes() > 32_000
    table = json.loads((into / "doubtful.json").read_text(encoding="utf-8"))
    # An untrained voice finds no end: each sentence that was cut is there to hear.
    for row in table["doubtful"]:
        assert (into / row["wav"]).is_file() and row["text"] in TEXTS

    before = sounds(into)
    (into / names[0]).unlink()
    (into / names[5]).write_bytes(b"damaged")
    again = sovdeck.events("read", "box", VOICE, str(book), "--into", str(into), *JA, "--redo", "2")
    assert again[-1]["fresh"] == 1
    after = sounds(into)
    assert after[names[2]] != before[names[2]]
    assert {name: after[name] for name in names[3:]} == {name: before[name] for name in names[3:]}


@pytest.mark.long
def test_a_doubtful_sentence_is_fetched_redone_and_kept_without_the_books_file(
    sovdeck: Laptop, session: ServerSession, book: Path, tmp_path: Path
) -> None:
    assert list_read_books(session, VOICE) == ()
    sovdeck.events("read", "box", VOICE, str(book), "--into", str(tmp_path / "book"), *JA)
    (read,) = list_read_books(session, VOICE)
    assert (read.title, read.book.source.name) == ("Tag und Nacht", book.name)
    # An untrained voice finds no end: its sentences are cut.
    one = read.doubtful[0]
    sound = fetch_sentence(session, read.book, one, tmp_path)
    assert sound.read_bytes()[:4] == b"RIFF"
    revise(session, read.book, f"--redo={one.sentence}")
    (again,) = list_read_books(session, VOICE)
    redone = next((row for row in again.doubtful if row.sentence == one.sentence), None)
    if redone is not None:
        assert redone.redo == 1 and redone.wav.sha256 != one.wav.sha256
    rest = {row.wav.sha256 for row in read.doubtful} - {one.wav.sha256}
    assert rest <= {row.wav.sha256 for row in again.doubtful}, "the others were left alone"
    revise(session, read.book, f"--keep={one.sentence}")
    (left,) = list_read_books(session, VOICE)
    assert one.sentence not in [row.sentence for row in left.doubtful]


@pytest.mark.long
def test_a_reading_killed_on_the_server_goes_on_with_the_next_sentence(
    sovdeck: Laptop, book: Path, work: Path
) -> None:
    into = sovdeck.home / "cut"
    watching = subprocess.Popen(
        sovdeck.argv("read", "box", VOICE, str(book), "--into", str(into), *JA, "--json"),
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env=sovdeck.env(),
        cwd=sovdeck.home,
    )
    assert watching.stdout is not None
    for line in watching.stdout:
        if json.loads(line).get("event") == "sentence":
            break
    for process in engines(work):
        os.kill(process, signal.SIGKILL)
    rest, _ = watching.communicate(timeout=LIMIT_S)
    seen = rest.count('"event": "sentence"') + 1
    if seen < len(TEXTS):  # else it had ended before the signal came
        assert watching.returncode != 0 and "next sentence" in rest
    (there,) = (work / "takes" / VOICE / "books").iterdir()
    kept = {p.name: p.stat().st_mtime_ns for p in (there / "sentences").glob("*.json")}
    again = sovdeck.events("read", "box", VOICE, str(book), "--into", str(into), *JA)
    assert again[-1]["fresh"] == len(TEXTS) - len(kept)
    now = {p.name: p.stat().st_mtime_ns for p in (there / "sentences").glob("*.json")}
    assert {name: now[name] for name in kept} == kept
    assert len(sounds(into)) == 6


@pytest.mark.long
def test_it_goes_on_without_this_laptop_and_can_be_stopped(
    sovdeck: Laptop, book: Path, work: Path
) -> None:
    book.write_text("おはようございます。\n散歩に行きましょう。\n" * 200, encoding="utf-8")
    into = sovdeck.home / "long"
    words = ("read", "box", VOICE, str(book), "--into", str(into), *JA)
    watching = subprocess.Popen(
        sovdeck.argv(*words, "--json"),
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env=sovdeck.env(),
        cwd=sovdeck.home,
    )
    assert watching.stdout is not None
    for line in watching.stdout:
        if json.loads(line).get("event") == "sentence":
            break
    watching.kill()
    watching.communicate()
    assert engines(work), "the job needs no laptop"
    refused = sovdeck(*words, "--redo", "1")
    assert refused.returncode == 2 and "still reading" in refused.stderr
    assert sovdeck.events(*words, "--stop")[-1] == {"status": "ok", "stopped": True}
    deadline = time.monotonic() + 60
    while engines(work):
        assert time.monotonic() < deadline, "stopped, it ends"
        time.sleep(0.1)
    assert sovdeck.events(*words, "--stop")[-1] == {"status": "ok", "stopped": False}


def test_what_cannot_be_read_is_said_before_the_server_is_asked(
    sovdeck: Laptop, tmp_path: Path
) -> None:
    (tmp_path / "x.pdf").write_bytes(b"%PDF")
    refused = sovdeck("read", "box", VOICE, str(tmp_path / "x.pdf"))
    assert refused.returncode == 2 and ".epub" in refused.stderr
    refused = sovdeck("read", "box", VOICE)
    assert refused.returncode == 2 and "book.epub" in refused.stderr
