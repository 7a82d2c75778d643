"""A book read aloud: every sentence once, the same sound however often it is interrupted."""

from __future__ import annotations

import io
import json
import struct
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tiny_voice import VOICE

from sovdeck.engine.cli import main
from sovdeck.engine.contract.book.chapters import Book, BookChapter, BookSentence
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.speaking.book.book_reader import BookReader
from sovdeck.engine.speaking.book.chapter_files import PARAGRAPH_PAUSE_S
from sovdeck.engine.speaking.book.sound_file import ChapterMark, SoundTags, write_sound_file
from sovdeck.engine.speaking.book.subtitles import Subtitle, to_srt, to_vtt
from sovdeck.engine.speaking.pipeline import SpeechPipeline
from sovdeck.engine.speaking.request import SpeakRequest
from sovdeck.engine.speaking.word_times import WordTime

Ask = Callable[..., SpeakRequest]
Rows = list[dict[str, Any]]
TEXTS = (
    ("朝", ("おはようございます。", "散歩に行きましょう。")),
    ("夜", ("今日は雨です。", "おやすみなさい。", "また明日。")),
)
PAUSE_S = 0.25


def make_book() -> Book:
    numbers = iter(range(1, 100))
    return Book(
        "一日",
        tuple(
            BookChapter(
                number,
                title,
                tuple(BookSentence(next(numbers), one, one == texts[-1]) for one in texts),
            )
            for number, (title, texts) in enumerate(TEXTS, 1)
        ),
    )


class Counting:
    """Opens the pipeline, and counts what it speaks."""

    def __init__(self, pipeline: SpeechPipeline) -> None:
        self.pipeline = pipeline
        self.spoken: list[str] = []
        self.opened = 0
        speak = pipeline.speak

        def counting(request: SpeakRequest) -> Any:
            self.spoken.append(request.text)
            return speak(request)

        pipeline.speak = counting  # type: ignore[method-assign, assignment]

    def __call__(self) -> SpeechPipeline:
        self.opened += 1
        return self.pipeline


@pytest.fixture
def voice(speaker: SpeechPipeline) -> Counting:
    return Counting(speaker)


@pytest.fixture
def reader(voice: Counting, ask: Ask, tmp_path: Path) -> Callable[..., BookReader]:
    """reader(folder name, **changes) -> reads the book of two chapters there."""

    def make(name: str, voice_key: str = "v", **changes: Any) -> BookReader:
        request = ask("-", pause_s=PAUSE_S)
        return BookReader(make_book(), tmp_path / name, request, voice_key, voice, **changes)

    return make


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("0*") if path.suffix != ".json"}


def samples_of(path: Path) -> np.ndarray:
    with wave.open(str(path), "rb") as sound:
        assert (sound.getframerate(), sound.getnchannels()) == (32_000, 1)
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2")


def test_chapters_are_their_sentences_with_subtitles_at_their_times(
    reader: Callable[..., BookReader], tmp_path: Path
) -> None:
    rows = list(reader("book").read())
    assert [row["event"] for row in rows] == [
        *("sentence", "sentence", "chapter"),
        *("sentence", "sentence", "sentence", "chapter"),
        "read",
    ]
    folder = tmp_path / "book"
    assert sorted(files(folder)) == [
        *("001.srt", "001.vtt", "001.wav"),
        *("002.srt", "002.vtt", "002.wav"),
    ]
    spoken = [row for row in rows if row["event"] == "sentence" and row["chapter"] == 2]
    chapter = samples_of(folder / "002.wav")
    seconds = sum(row["seconds"] for row in spoken) + PARAGRAPH_PAUSE_S
    assert len(chapter) / 32_000 == pytest.approx(seconds, abs=0.002)
    blocks = (folder / "002.srt").read_text(encoding="utf-8").strip().split("\n\n")
    start = 0.0
    for block, row in zip(blocks, spoken, strict=True):
        _, times, text = block.split("\n")
        assert text == row["text"]
        begin, end = (
            sum(
                float(part) * unit
                for part, unit in zip(one.replace(",", ".").split(":"), (3600, 60, 1), strict=True)
            )
            for one in times.split(" --> ")
        )
        assert begin == pytest.approx(start, abs=0.002)
        assert end == pytest.approx(start + row["seconds"] - PAUSE_S, abs=0.002)
        start += row["seconds"]
    assert (
        (folder / "002.vtt").read_text(encoding="utf-8").startswith("WEBVTT\n\n00:00:00.000 --> ")
    )


@pytest.mark.parametrize("kept", [0, 1, 2, 3, 4, 5, 6])
def test_a_reading_that_was_cut_goes_on_where_it_stopped(
    reader: Callable[..., BookReader], voice: Counting, tmp_path: Path, kept: int
) -> None:
    list(reader("whole").read())
    voice.spoken.clear()
    reading = reader("cut").read()
    for _ in range(kept):
        next(reading)
    reading.close()
    list(reader("cut").read())
    assert voice.spoken == [text for _, texts in TEXTS for text in texts]
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_what_is_there_is_neither_spoken_nor_written_again(
    reader: Callable[..., BookReader], voice: Counting, tmp_path: Path
) -> None:
    list(reader("book").read())
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "book").glob("0*")}
    voice.opened = 0
    rows = list(reader("book").read())
    assert voice.opened == 0 and rows[-1]["fresh"] == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "book").glob("0*")} == times


def test_a_half_written_or_damaged_sentence_is_spoken_anew_with_the_same_sound(
    reader: Callable[..., BookReader], voice: Counting, tmp_path: Path
) -> None:
    list(reader("book").read())
    before = files(tmp_path / "book")
    sentences = tmp_path / "book" / "sentences"
    (sentences / "000002.json").unlink()
    (sentences / "000003.json").write_text("{", encoding="utf-8")
    (sentences / "000004.wav").write_bytes(b"RIFF")
    voice.spoken.clear()
    list(reader("book").read())
    assert voice.spoken == [TEXTS[0][1][1], TEXTS[1][1][0], TEXTS[1][1][1]]
    assert files(tmp_path / "book") == before


def test_other_weights_speak_everything_anew(
    reader: Callable[..., BookReader], voice: Counting
) -> None:
    list(reader("book").read())
    voice.spoken.clear()
    list(reader("book", voice_key="other").read())
    assert len(voice.spoken) == 5


def test_one_sentence_is_spoken_again_another_way(
    reader: Callable[..., BookReader], voice: Counting, tmp_path: Path
) -> None:
    list(reader("book").read())
    before = files(tmp_path / "book")
    voice.spoken.clear()
    list(reader("book").read(frozenset({4})))
    assert voice.spoken == [TEXTS[1][1][1]]
    after = files(tmp_path / "book")
    assert after["001.wav"] == before["001.wav"] and after["002.wav"] != before["002.wav"]
    list(reader("book").read())  # kept, and not spoken again
    assert len(voice.spoken) == 1 and files(tmp_path / "book") == after
    with pytest.raises(Problem) as caught:
        next(reader("book").read(frozenset({9})))
    assert caught.value.key == "engine.book.no_sentence"


class Hears:
    """Understands each sentence as the given function says."""

    def __init__(self, understand: Callable[[int], str]) -> None:
        self.understand = understand
        self.calls = 0

    def transcribe(self, samples: np.ndarray, language: str, /) -> str:
        self.calls += 1
        return self.understand(self.calls)


def test_doubtful_sentences_are_tried_again_and_listed_with_their_place(
    reader: Callable[..., BookReader], voice: Counting, tmp_path: Path
) -> None:
    heard = ["おはよう", "おはようございます", "散歩", "散歩", "散歩", *TEXTS[1][1]]
    voice.pipeline.recogniser = Hears(lambda call: heard[call - 1])
    rows = list(reader("book", checks=True).read())
    spoken = [row for row in rows if row["event"] == "sentence"]
    assert [row["attempts"] for row in spoken] == [2, 3, 1, 1, 1]
    assert [row["doubts"] for row in spoken] == [[], ["lost"], [], [], []] or spoken[1]["doubts"]
    index = json.loads((tmp_path / "book" / "index.json").read_text(encoding="utf-8"))
    (doubtful,) = (row for row in index["doubtful"] if "lost" in row["doubts"])
    assert (doubtful["sentence"], doubtful["chapter"]) == (2, 1)
    assert doubtful["start"] == pytest.approx(spoken[0]["seconds"], abs=0.002)
    assert (doubtful["text"], doubtful["heard"]) == (TEXTS[0][1][1], "散歩")
    assert rows[-1]["checked"] is True
    # Asked again, nobody listens twice to what was heard.
    voice.pipeline.recogniser.calls = 0
    list(reader("book", checks=True).read())
    assert voice.pipeline.recogniser.calls == 0


def test_a_reading_without_a_recogniser_is_checked_once_there_is_one(
    reader: Callable[..., BookReader], voice: Counting, tmp_path: Path
) -> None:
    list(reader("book").read())
    before = files(tmp_path / "book")
    texts = [text for _, texts in TEXTS for text in texts]
    voice.pipeline.recogniser = Hears(lambda call: texts[call - 1])
    rows = list(reader("book", checks=True).read())
    assert rows[-1]["checked"] is True
    assert files(tmp_path / "book") == before


def test_a_sentence_that_cannot_be_read_is_listed_and_the_book_goes_on(
    voice: Counting, ask: Ask, tmp_path: Path
) -> None:
    sentences = (BookSentence(1, "สวัสดี", False), BookSentence(2, "おはようございます。", True))
    book = Book("x", (BookChapter(1, "x", sentences),))
    rows = list(BookReader(book, tmp_path, ask("-"), "v", voice).read())
    assert rows[0]["doubts"] == ["unspoken"] and rows[1]["seconds"] > 0.3
    assert (tmp_path / "001.srt").read_text(encoding="utf-8").count("-->") == 1


def test_a_missing_reference_ends_the_reading(voice: Counting, ask: Ask, tmp_path: Path) -> None:
    request = ask("-", ref_audio=tmp_path / "none.wav")
    with pytest.raises(Problem) as caught:
        list(BookReader(make_book(), tmp_path, request, "v", voice).read())
    assert caught.value.key == "engine.speaking.reference_missing"


TITLES = ("One & only", "第二章")


def tone(seconds: float) -> np.ndarray:
    return (0.3 * np.sin(np.arange(round(seconds * 32_000)) / 20)).astype(np.float32)


def write_marked(path: Path, kind: Any) -> None:
    marks = [ChapterMark(0, TITLES[0]), ChapterMark(48_000, TITLES[1])]
    tags = SoundTags("A title", "An album", 2, 9)
    write_sound_file(path, kind, iter((tone(1.5), tone(2.0))), marks, tags, 112_000)


def test_an_mp3_has_its_chapters_and_tags(tmp_path: Path) -> None:
    write_marked(tmp_path / "x.mp3", "mp3")
    with av.open(str(tmp_path / "x.mp3")) as container:
        chapters = container.chapters()
        assert [one["metadata"]["title"] for one in chapters] == list(TITLES)
        seconds = [float(one["start"] * (one["time_base"] or 0)) for one in chapters]
        assert seconds == pytest.approx([0.0, 1.5], abs=0.002)
        tags = container.metadata
        assert (tags["title"], tags["album"], tags["track"]) == ("A title", "An album", "2/9")
        stream = container.streams.audio[0]
        decoded = sum(frame.samples for frame in container.decode(stream)) / stream.rate
    assert decoded == pytest.approx(3.5, abs=0.1)


def test_a_wav_has_its_cue_points_and_is_still_one(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    write_marked(path, "wav")
    assert len(samples_of(path)) == 112_000
    with av.open(str(path)) as container:
        assert container.metadata["title"] == "A title"
    data = path.read_bytes()
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8
    chunks: dict[bytes, list[bytes]] = {}
    reading = io.BytesIO(data[12:])
    while head := reading.read(8):
        size = struct.unpack("<I", head[4:])[0]
        chunks.setdefault(head[:4], []).append(reading.read(size))
        reading.read(size % 2)
    (cue,) = chunks[b"cue "]
    assert [struct.unpack_from("<I", cue, 4 + 24 * n + 20)[0] for n in range(2)] == [0, 48_000]
    labels = next(one for one in chunks[b"LIST"] if one.startswith(b"adtl"))
    assert all(title.encode() + b"\0" in labels for title in TITLES)


def test_a_whole_file_has_a_mark_for_each_chapter(
    reader: Callable[..., BookReader], tmp_path: Path
) -> None:
    list(reader("book", kind="mp3").read(whole=True))
    with av.open(str(tmp_path / "book" / "book.mp3")) as container:
        titles = [one["metadata"]["title"] for one in container.chapters()]
    assert titles == ["朝", "夜"]
    assert (tmp_path / "book" / "book.srt").read_text(encoding="utf-8").count("-->") == 5


def test_subtitles_hold_any_text() -> None:
    one = Subtitle(3599.9996, 3601.5, "a --> b\n<i>&\nc")
    assert to_srt([one]) == "1\n01:00:00,000 --> 01:00:01,500\na → b <i>& c\n\n"
    assert to_vtt([one]).endswith("\na → b &lt;i&gt;&amp; c\n\n")


@pytest.mark.parametrize(
    ("words", "code", "key"),
    [
        (("--verify", "on"), 2, "engine.speaking.nobody_listens"),
        (("--reference", "happy"), 2, "engine.book.no_reference"),
        (("--gpt-weight", "Test-e99.ckpt"), 3, "engine.weights.unreadable"),
        (("--ref-audio", "/none.wav"), 3, "engine.speaking.reference_missing"),
    ],
)
def test_what_lacks_is_said_before_anything_is_spoken(
    work: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    code: int,
    key: str,
) -> None:
    assert read_command(work, tmp_path, *words) == code
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["code"] == key


def test_a_check_says_what_the_book_holds(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert read_command(work, tmp_path) == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (row["chapters"], row["sentences"], row["checks"]) == (1, 2, False)
    assert list((tmp_path / "into").iterdir()) == []


def read_command(work: Path, folder: Path, *words: str) -> int:
    book = folder / "x.txt"
    book.write_text("おはようございます。散歩に行きましょう。", encoding="utf-8")
    given = ("--work", str(work), "--into", str(folder / "into"), "--device", "cpu")
    return main(["read", VOICE, str(book), *given, "--json", "--check", *words])


def test_a_sentence_that_was_kept_is_doubtful_no_more_until_it_is_redone(
    reader: Callable[..., BookReader], voice: Counting, tmp_path: Path
) -> None:
    list(reader("book").read())
    index = tmp_path / "book" / "index.json"

    def doubtful() -> list[int]:
        return [row["sentence"] for row in json.loads(index.read_text("utf-8"))["doubtful"]]

    # An untrained voice finds no end, so that every sentence is cut.
    (first, *others), spoken = doubtful(), len(voice.spoken)
    list(reader("book").read(keep=frozenset((first,))))
    assert doubtful() == others and len(voice.spoken) == spoken
    list(reader("book").read())
    assert doubtful() == others
    list(reader("book").read(redo=frozenset((first,))))
    assert len(voice.spoken) == spoken + 1 and doubtful() in ([first, *others], others)
    with pytest.raises(Problem, match="99"):
        list(reader("book").read(keep=frozenset((99,))))


def test_a_revision_speaks_as_the_reading_began_and_others_are_left_alone(
    work: Path, tmp_path: Path, clip: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    book = tmp_path / "takes" / "x.txt"
    book.parent.mkdir()
    book.write_text("おはよう。\n散歩に行こう。", encoding="utf-8")
    into = tmp_path / "takes" / VOICE / "books" / "d1"
    given = ("--work", str(work), "--into", str(into), "--json")
    settings = ("--device=cpu", "--text-lang=all_ja", "--pause-s=0.1", f"--ref-audio={clip(4.0)}")
    options = (*settings, "--gpt-weight=Test-e2.ckpt", "--sovits-weight=Test_e2_s200.pth")

    def rows(*words: str) -> Rows:
        assert main(list(words)) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert main(["read", VOICE, str(book), *given, "--again"]) == 2
    assert json.loads(capsys.readouterr().out)["code"] == "engine.book.no_reading"
    assert rows("read", VOICE, str(book), *given, *options)[-1]["fresh"] == 2
    again = rows("read", VOICE, str(book), *given, "--again", "--redo=2")
    assert again[-1]["fresh"] == 1
    assert [row["number"] for row in again if row.get("fresh") is True] == [2]
    kept = rows("read", VOICE, str(book), *given, "--again", "--keep=1")
    assert kept[-1]["fresh"] == 0
    (found,) = rows("books", VOICE, "--work", str(tmp_path), "--json")
    assert (found["folder"], found["book"]) == ("d1", "x.txt")
    assert [row["sentence"] for row in found["doubtful"]] in ([2], [])
    assert found["count"] == kept[-1]["doubtful"]
    assert rows("books", "Other", "--work", str(tmp_path), "--json") == []


class TimesWords:
    """Hears each text as it is, one letter every tenth of a second."""

    def __init__(self, texts: list[str]) -> None:
        self.texts, self.calls = texts, 0

    def transcribe(self, samples: np.ndarray, language: str, /) -> str:
        return self.texts[self.calls]

    def transcribe_words(self, samples: np.ndarray, language: str, /) -> list[WordTime]:
        text = self.texts[self.calls]
        self.calls += 1
        if text.startswith("おやすみ"):
            return [WordTime("entirely other", 0.0, 1.0)]
        half = len(text) // 2
        marks = ((text[:half], 0.0, half / 100), (text[half:], half / 100, len(text) / 100))
        return [WordTime(*one) for one in marks]


def test_subtitles_have_the_times_of_words_where_the_recogniser_tells_them(
    reader: Callable[..., BookReader], voice: Counting, tmp_path: Path
) -> None:
    texts = [text for _, texts in TEXTS for text in texts]
    voice.pipeline.recogniser = TimesWords(texts)
    try:
        rows = list(reader("book", checks=True).read())
    finally:
        voice.pipeline.recogniser = None
    folder = tmp_path / "book"
    (chapter,) = [row for row in rows if row["event"] == "chapter" and row["number"] == 2]
    names = [file["name"] for file in chapter["files"]]
    assert names == ["002.wav", "002.srt", "002.vtt", "002.words.srt"]
    vtt = (folder / "002.vtt").read_text(encoding="utf-8")
    assert "in 2 of 3 sentences" in vtt
    first = texts[2]
    half = len(first) // 2
    assert f"{first[:half]}<00:00:00.{10 * half:03d}>{first[half:]}" in vtt
    assert texts[3] in vtt, "a sentence that was heard as another has its own times alone"
    by_word = (folder / "002.words.srt").read_text(encoding="utf-8").strip().split("\n\n")
    assert [block.split("\n")[2] for block in by_word] == [
        *(first[:half], first[half:]),
        texts[3],
        *(texts[4][: len(texts[4]) // 2], texts[4][len(texts[4]) // 2 :]),
    ]
    # The same words again: read anew from their records, nothing is made twice.
    before = {path: path.stat().st_mtime_ns for path in folder.glob("0*")}
    voice.pipeline.recogniser = TimesWords(texts)
    try:
        list(reader("book", checks=True).read())
    finally:
        voice.pipeline.recogniser = None
    assert {path: path.stat().st_mtime_ns for path in folder.glob("0*")} == before
