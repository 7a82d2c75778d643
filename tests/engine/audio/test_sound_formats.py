"""A sound format is what its name says: each is read back by a decoder that did not write it."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable

import av
import miniaudio
import numpy as np
import pytest
import soundfile

from sovdeck.engine.audio.encode import SOUND_FORMATS, SoundEncoder, encode_sound
from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE, to_int16

HZ, SECONDS = 440.0, 1.25


@pytest.fixture(scope="module")
def tone() -> np.ndarray:
    t = np.arange(round(SECONDS * SPEECH_SAMPLE_RATE)) / SPEECH_SAMPLE_RATE
    return (0.3 * np.sin(2 * np.pi * HZ * t)).astype(np.float32)


def in_parts(samples: np.ndarray, name: str, size: int = 1777) -> list[bytes]:
    encoder = SoundEncoder(SOUND_FORMATS[name])
    starts = range(0, len(samples), size)
    return [*(encoder.add(samples[s : s + size]) for s in starts), encoder.finish()]


def by_libsndfile(data: bytes) -> tuple[np.ndarray, int, str]:
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        return file.read(dtype="float32"), file.samplerate, f"{file.format} {file.subtype}"


def by_ffmpeg(data: bytes) -> tuple[np.ndarray, int, str]:
    with av.open(io.BytesIO(data), "r") as container:
        codec = container.streams.audio[0].codec_context.name
        frames = [f.to_ndarray()[0] for f in container.decode(audio=0)]
        return np.concatenate(frames), container.streams.audio[0].rate, codec


def by_miniaudio(data: bytes) -> tuple[np.ndarray, int, str]:
    if data.startswith(b"fLaC"):
        found, kind = miniaudio.flac_read_s16(data), "flac"
    else:
        found, kind = miniaudio.mp3_read_s16(data), "mp3"
    return np.array(found.samples, "<i2") / np.float32(32767), found.sample_rate, kind


def as_plain(rate: int) -> Callable[[bytes], tuple[np.ndarray, int, str]]:
    return lambda data: (np.frombuffer(data, "<i2").astype(np.float32) / 32767, rate, "plain")


# The decoder is never the library that encodes, but for AAC, whose frames are counted below.
CASES = [
    ("wav", 32_000, by_libsndfile, "WAV PCM_16"),
    ("raw", 32_000, as_plain(32_000), "plain"),
    ("pcm", 24_000, as_plain(24_000), "plain"),
    ("flac", 32_000, by_miniaudio, "flac"),
    ("mp3", 32_000, by_miniaudio, "mp3"),
    ("opus", 48_000, by_libsndfile, "OGG OPUS"),
    ("ogg", 32_000, by_ffmpeg, "vorbis"),
    ("aac", 32_000, by_ffmpeg, "aac"),
]


def pitch(samples: np.ndarray, rate: int) -> float:
    middle = samples[rate // 4 : rate]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 1 << 18))
    return float(np.argmax(spectrum) * rate / (1 << 18))


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("name", "rate", "decode", "kind"), CASES, ids=[c[0] for c in CASES])
def test_each_format_holds_the_tone_at_its_pitch_and_length(
    tone: np.ndarray,
    name: str,
    rate: int,
    decode: Callable[[bytes], tuple[np.ndarray, int, str]],
    kind: str,
    streamed: bool,
) -> None:
    data = b"".join(in_parts(tone, name)) if streamed else encode_sound(tone, SOUND_FORMATS[name])
    samples, found_rate, found_kind = decode(data)
    assert (found_rate, found_kind) == (rate, kind)
    assert abs(pitch(samples, rate) - HZ) < 1.0
    # Lossy formats pad with a frame before and after, or lose a few samples at an edge.
    assert abs(len(samples) - SECONDS * rate) < 0.09 * rate
    loud = np.sqrt(np.mean(np.square(samples[rate // 4 : rate])))
    assert abs(loud - 0.3 / np.sqrt(2)) < 0.02


def test_a_lossless_sound_is_the_samples(tone: np.ndarray) -> None:
    exact = to_int16(tone).tobytes()
    assert b"".join(in_parts(tone, "raw")) == exact
    assert (
        b"".join(in_parts(tone, "wav"))[44:]
        == exact
        == encode_sound(tone, SOUND_FORMATS["wav"])[44:]
    )
    for data in (b"".join(in_parts(tone, "flac")), encode_sound(tone, SOUND_FORMATS["flac"])):
        assert to_int16(by_miniaudio(data)[0]).tobytes() == exact


def test_a_streamed_wav_is_read_to_its_end_by_every_player(tone: np.ndarray) -> None:
    data = b"".join(in_parts(tone, "wav"))
    for decode in (by_libsndfile, by_ffmpeg):
        assert len(decode(data)[0]) == len(tone)
    assert len(miniaudio.decode(data, sample_rate=32_000, nchannels=1).samples) == len(tone)
    with wave.open(io.BytesIO(data)) as file:
        assert len(file.readframes(1 << 24)) == 2 * len(tone)


def test_aac_is_a_run_of_adts_frames(tone: np.ndarray) -> None:
    data, at, frames = b"".join(in_parts(tone, "aac")), 0, 0
    while at < len(data):
        assert data[at] == 0xFF and data[at + 1] & 0xF6 == 0xF0  # sync word, layer 0
        assert (data[at + 2] >> 2) & 15 == 5  # 32 kHz in the table of rates
        at += (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        frames += 1
    assert at == len(data) and frames * 1024 >= len(tone)


@pytest.mark.parametrize("name", sorted(SOUND_FORMATS))
def test_sound_leaves_while_it_is_spoken(tone: np.ndarray, name: str) -> None:
    """Of three seconds at least half is out before the end is known."""
    parts = in_parts(np.tile(tone, 3), name, 16_000)
    assert len(b"".join(parts[:-1])) > len(b"".join(parts)) / 2
    assert len(b"".join(parts[:4])) > 0


def test_the_resampler_lets_no_high_tone_fold_back() -> None:
    """14 kHz is above what 24 kHz can hold: it must vanish, not come back as 10 kHz."""
    t = np.arange(SPEECH_SAMPLE_RATE) / SPEECH_SAMPLE_RATE
    high = (0.5 * np.sin(2 * np.pi * 14_000 * t)).astype(np.float32)
    samples, _, _ = as_plain(24_000)(b"".join(in_parts(high, "pcm")))
    assert np.sqrt(np.mean(np.square(samples[1000:-1000]))) < 0.5 / np.sqrt(2) / 300
