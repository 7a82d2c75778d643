"""Takes as wav files on the laptop: written while they arrive, and where they lie.

`outputs/VOICE/takes/VOICE-001.wav`, beside what `pull` unpacks; a pull leaves them alone.
"""

from __future__ import annotations

import sys
import wave
from array import array
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from sovdeck.engine.contract.atomic_io import file_sha256
from sovdeck.engine.contract.layout import check_voice_name
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.filenames import safe_name
from sovdeck.remote.speech.speech_session import SAMPLE_RATE, SpeechChunk, SpeechResult
from sovdeck.remote.transfer.download.part_file import disk_errors

TAKES, AUDITION, BOOKS = "takes", "audition", "books"
PRESERVED_FOLDERS = (TAKES, AUDITION, BOOKS)
PEAK_COUNT = 96
_MAX_TAKES = 100_000


def takes_folder(outputs: Path, voice: str) -> Path:
    """Where a voice's takes are saved; Problem for a bad name."""
    return outputs / check_voice_name(voice) / TAKES


def audition_folder(outputs: Path, voice: str) -> Path:
    """Where a voice's audition sounds are saved; Problem for a bad name."""
    return outputs / check_voice_name(voice) / AUDITION


def book_folder(outputs: Path, voice: str, source: Path) -> Path:
    """Where the chapters of a book are saved; Problem for a bad name."""
    return outputs / check_voice_name(voice) / BOOKS / safe_name(source.stem)


class TakeFile:
    """One take as it arrives; under its name only when whole and equal to the server's file.

    Use as a context manager: what is not finished is removed.
    """

    def __init__(self, path: Path, part: BinaryIO) -> None:
        """Call `at` or `next_in` instead. part: the open file beside `path`."""
        self.path = path
        self._part = _part_path(path)
        self._file = part
        self._wave = wave.open(part, "wb")  # noqa: SIM115 - closed by finish or __exit__
        self._wave.setnchannels(1)
        self._wave.setsampwidth(2)
        self._wave.setframerate(SAMPLE_RATE)

    @classmethod
    def at(cls, path: Path) -> Self:
        """Write to exactly `path`; a file that is there is replaced at the end."""
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            return cls(path, _part_path(path).open("wb"))

    @classmethod
    def next_in(cls, folder: Path, voice: str) -> Self:
        """`VOICE-001.wav`, or the first number that is free; safe beside other processes."""
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(1, _MAX_TAKES):
                path = folder / f"{voice}-{number:03d}.wav"
                if not path.exists():
                    try:
                        return cls(path, _part_path(path).open("xb"))
                    except FileExistsError:
                        continue  # another take of this moment has this number
        raise Problem("remote.speak.full", ExitCode.DATA, folder=str(folder))

    def add_chunk(self, chunk: SpeechChunk) -> None:
        """Append the samples of one sentence."""
        with disk_errors(self.path):
            self._wave.writeframes(chunk.pcm)

    def finish(self, result: SpeechResult) -> Path:
        """Move it to `path`. Problem when it is not, byte for byte, what the server saved."""
        with disk_errors(self.path):
            self._wave.close()
            self._file.close()
            same = self._part.stat().st_size == result.bytes
            if not same or file_sha256(self._part) != result.sha256:
                raise Problem("remote.speak.differs", ExitCode.DATA, path=str(self.path))
            self._part.replace(self.path)
        return self.path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        with disk_errors(self.path):
            self._wave.close()
            self._file.close()
            self._part.unlink(missing_ok=True)  # gone already when it was finished


def _part_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def peaks(wav: Path, bars: int = PEAK_COUNT) -> tuple[float, ...]:
    """The greatest amplitude in each of `bars` equal parts of a 16-bit wav, 0 to 1."""
    with disk_errors(wav), wave.open(str(wav), "rb") as sound:
        samples = array("h", sound.readframes(sound.getnframes()))
    if sys.byteorder == "big":
        samples.byteswap()
    step = max(1, -(-len(samples) // bars))
    parts = (samples[start : start + step] for start in range(0, len(samples), step))
    return tuple(min(1.0, max(max(part), -min(part)) / 32767) for part in parts)
