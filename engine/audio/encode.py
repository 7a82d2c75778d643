"""Speech as the bytes of a sound format: part by part as it is spoken, or as one file."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import av
import numpy as np
import soundfile

from sovdeck.engine.audio.pcm import (
    SPEECH_SAMPLE_RATE,
    encode_wav,
    endless_wav_header,
    to_int16,
)


class _Writer(Protocol):
    """Writes samples to a file of its own."""

    def write(self, samples: np.ndarray, /) -> None:
        """Encode the next samples (N,) float32 at 32 kHz."""

    def close(self) -> None:
        """Encode what is left; the file stays open."""


@dataclass(frozen=True)
class SoundFormat:
    """One format by the name that clients ask for; `rate` is that of the sound, in Hz."""

    name: str
    media_type: str
    rate: int
    open_writer: Callable[[io.BytesIO], _Writer]
    header: bytes = b""  # in front of a sound whose length is not known yet


class SoundEncoder:
    """Encodes samples (N,) float32 at 32 kHz as they come; what a call returns can be sent.

    The parts are one sound that ends with its bytes: no length was known when it began.
    """

    def __init__(self, sound_format: SoundFormat) -> None:
        self._file = _GrowingFile()
        self._file.write(sound_format.header)
        self._writer = sound_format.open_writer(self._file)

    def add(self, samples: np.ndarray) -> bytes:
        """Encode the next samples (N,); b"" while they fill no frame of the format."""
        self._writer.write(samples)
        return self._file.take()

    def finish(self) -> bytes:
        """Encode what is left."""
        self._writer.close()
        return self._file.take()


def encode_sound(samples: np.ndarray, sound_format: SoundFormat) -> bytes:
    """Encode a whole sound (N,) float32 at 32 kHz as one file, which tells its length."""
    if sound_format.name == "wav":
        return encode_wav(samples)
    file = io.BytesIO()
    writer = sound_format.open_writer(file)
    writer.write(samples)
    writer.close()
    return file.getvalue()


class _GrowingFile(io.BytesIO):
    """A file that cannot be gone back in: what was taken from it has been sent."""

    def seekable(self) -> bool:
        return False

    def take(self) -> bytes:
        """Return what was written since the last call."""
        data = self.getvalue()
        self.truncate(0)
        super().seek(0)
        return data


class _PlainWriter:
    """16-bit mono samples, little endian, resampled to `rate`."""

    def __init__(self, file: io.BytesIO, rate: int) -> None:
        self._file = file
        self._resampler = av.AudioResampler("s16", "mono", rate)

    def write(self, samples: np.ndarray) -> None:
        self._keep(self._resampler.resample(_audio_frame(samples)))

    def close(self) -> None:
        self._keep(self._resampler.resample(None))

    def _keep(self, frames: list[Any]) -> None:
        for frame in frames:
            self._file.write(frame.to_ndarray().astype("<i2").tobytes())


class _FfmpegWriter:
    """What FFmpeg's `container` and `codec` make of the samples, at `rate`."""

    def __init__(
        self, file: io.BytesIO, container: str, codec: str, rate: int, bit_rate: int = 0
    ) -> None:
        # A packet is written at once, and a page of Ogg ends after a tenth of a second: whoever
        # listens meanwhile would wait for a full one.
        options = {"flush_packets": "1"}
        if container == "ogg":
            options["page_duration"] = "100000"
        sink: Any = file if file.seekable() else _WriteOnly(file)
        self._container = av.open(sink, "w", format=container, options=options)
        self._stream: Any = self._container.add_stream(codec, rate=rate)
        self._stream.layout = "mono"
        if bit_rate:
            self._stream.bit_rate = bit_rate

    def write(self, samples: np.ndarray) -> None:
        self._container.mux(self._stream.encode(_audio_frame(samples)))

    def close(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()


class _WriteOnly:
    """Hides that a file can be gone back in: FFmpeg asks for no more than whether `seek` is."""

    def __init__(self, file: io.BytesIO) -> None:
        self.write = file.write


class _VorbisWriter:
    """Ogg Vorbis through libsndfile; FFmpeg as PyAV brings it lacks libvorbis."""

    def __init__(self, file: io.BytesIO) -> None:
        self._pages = io.BytesIO()
        self._file = file
        self._sound = soundfile.SoundFile(
            self._pages, "w", SPEECH_SAMPLE_RATE, 1, "VORBIS", format="OGG"
        )
        self._sent = 0

    def write(self, samples: np.ndarray) -> None:
        self._sound.write(np.asarray(samples, dtype=np.float32))
        self._pass_on()

    def close(self) -> None:
        self._sound.close()
        self._pass_on()

    def _pass_on(self) -> None:
        self._file.write(self._pages.getbuffer()[self._sent :])
        self._sent = len(self._pages.getbuffer())


def _audio_frame(samples: np.ndarray) -> Any:
    frame = av.AudioFrame.from_ndarray(to_int16(samples)[None], "s16", "mono")
    frame.sample_rate = SPEECH_SAMPLE_RATE
    return frame


def _ffmpeg(
    container: str, codec: str, rate: int = SPEECH_SAMPLE_RATE, bit_rate: int = 0
) -> Callable[[io.BytesIO], _Writer]:
    return lambda file: _FfmpegWriter(file, container, codec, rate, bit_rate)


SOUND_FORMATS = {
    one.name: one
    for one in (
        SoundFormat(
            "wav",
            "audio/wav",
            SPEECH_SAMPLE_RATE,
            lambda file: _PlainWriter(file, SPEECH_SAMPLE_RATE),
            endless_wav_header(),
        ),
        # OpenAI's name: always 24 kHz, since nothing in the sound says its rate.
        SoundFormat("pcm", "audio/pcm", 24_000, lambda file: _PlainWriter(file, 24_000)),
        # api_v2's name: at the rate of the voice, for the same reason.
        SoundFormat(
            "raw",
            "audio/raw",
            SPEECH_SAMPLE_RATE,
            lambda file: _PlainWriter(file, SPEECH_SAMPLE_RATE),
        ),
        SoundFormat(
            "mp3", "audio/mpeg", SPEECH_SAMPLE_RATE, _ffmpeg("mp3", "libmp3lame", bit_rate=128_000)
        ),
        SoundFormat("flac", "audio/flac", SPEECH_SAMPLE_RATE, _ffmpeg("flac", "flac")),
        # Opus knows no 32 kHz.
        SoundFormat("opus", "audio/ogg", 48_000, _ffmpeg("ogg", "libopus", 48_000, 64_000)),
        SoundFormat(
            "aac", "audio/aac", SPEECH_SAMPLE_RATE, _ffmpeg("adts", "aac", bit_rate=128_000)
        ),
        SoundFormat("ogg", "audio/ogg", SPEECH_SAMPLE_RATE, _VorbisWriter),
    )
}
