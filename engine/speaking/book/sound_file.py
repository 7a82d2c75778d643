"""A long sound file made of many short sounds, with chapter marks; never whole in memory."""

from __future__ import annotations

import struct
import wave
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, cast

import av
import numpy as np

from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE, to_int16
from sovdeck.engine.contract.problem import ExitCode, Problem

BookFormat = Literal["wav", "mp3"]
_MP3_BIT_RATE = 96_000  # of one channel of speech at 32 kHz
_MAX_WAV_SAMPLES = ((1 << 32) - (1 << 20)) // 2  # a wav counts its bytes in 32 bits


@dataclass(frozen=True)
class ChapterMark:
    """Where a chapter begins in a file, in samples at 32 kHz."""

    start: int
    title: str


@dataclass(frozen=True)
class SoundTags:
    """What a player shows: the title, the book it belongs to, its number and how many there are."""

    title: str
    album: str
    number: int
    count: int


def write_sound_file(
    path: Path,
    kind: BookFormat,
    sounds: Iterable[np.ndarray],
    marks: Sequence[ChapterMark],
    tags: SoundTags,
    length: int,
) -> None:
    """Write `length` samples in all, given as sounds (N,) float32 at 32 kHz."""
    if kind == "wav":
        _write_wav(path, sounds, marks, tags, length)
    else:
        _write_mp3(path, sounds, marks, tags, length)


def _write_wav(
    path: Path,
    sounds: Iterable[np.ndarray],
    marks: Sequence[ChapterMark],
    tags: SoundTags,
    length: int,
) -> None:
    if length > _MAX_WAV_SAMPLES:
        hours = length // SPEECH_SAMPLE_RATE // 3600
        raise Problem("engine.book.wav_too_long", ExitCode.CONFIG, hours=hours)
    with path.open("wb") as file:
        sound = wave.open(file, "wb")  # noqa: SIM115 - the file goes on behind its samples
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SPEECH_SAMPLE_RATE)
        for samples in sounds:
            sound.writeframesraw(to_int16(samples).tobytes())
        sound.close()
        file.seek(0, 2)
        file.write(_wav_marks(marks) + _wav_tags(tags))
        size = file.tell()
        file.seek(4)
        file.write(struct.pack("<I", size - 8))


def _wav_marks(marks: Sequence[ChapterMark]) -> bytes:
    """Cue points, and a label for each in a list beside them."""
    points = b"".join(
        struct.pack("<II4sIII", number, mark.start, b"data", 0, 0, mark.start)
        for number, mark in enumerate(marks, 1)
    )
    labels = b"".join(
        _chunk(b"labl", struct.pack("<I", number) + mark.title.encode() + b"\0")
        for number, mark in enumerate(marks, 1)
    )
    return _chunk(b"cue ", struct.pack("<I", len(marks)) + points) + _chunk(
        b"LIST", b"adtl" + labels
    )


def _wav_tags(tags: SoundTags) -> bytes:
    facts = ((b"INAM", tags.title), (b"IPRD", tags.album), (b"ITRK", str(tags.number)))
    return _chunk(b"LIST", b"INFO" + b"".join(_chunk(k, v.encode() + b"\0") for k, v in facts))


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _write_mp3(
    path: Path,
    sounds: Iterable[np.ndarray],
    marks: Sequence[ChapterMark],
    tags: SoundTags,
    length: int,
) -> None:
    with av.open(str(path), "w", format="mp3") as container:
        stream: Any = container.add_stream("libmp3lame", rate=SPEECH_SAMPLE_RATE)
        stream.layout = "mono"
        stream.bit_rate = _MP3_BIT_RATE
        container.metadata.update(
            {"title": tags.title, "album": tags.album, "track": f"{tags.number}/{tags.count}"}
        )
        ends = [*(mark.start for mark in marks[1:]), length]
        container.set_chapters(
            [
                cast(
                    "Any",
                    {
                        "id": number,
                        "start": mark.start,
                        "end": end,
                        "time_base": Fraction(1, SPEECH_SAMPLE_RATE),
                        "metadata": {"title": mark.title},
                    },
                )
                for number, (mark, end) in enumerate(zip(marks, ends, strict=True))
            ]
        )
        for samples in sounds:
            frame = av.AudioFrame.from_ndarray(to_int16(samples)[None], "s16", "mono")
            frame.sample_rate = SPEECH_SAMPLE_RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
