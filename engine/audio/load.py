"""Decode an audio file in-process: wav, flac, mp3, ogg through libsndfile, m4a through PyAV."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from sovdeck.engine.contract.dataset.recordings import CONTAINER_SUFFIXES
from sovdeck.engine.contract.problem import ExitCode, Problem

_WHOLE = 0.98  # of the samples that the header promises; encoders count a little differently


class _UnknownFormatError(ValueError):
    """A decoder does not know what a file holds."""


def load_mono(path: Path) -> tuple[np.ndarray, int]:
    """Samples as float32 mono (N,), nominally in [-1, 1], and the rate in Hz.

    Channels are averaged. Problem as in `decode_audio`.
    """
    samples, rate = decode_audio(path)
    return np.ascontiguousarray(samples.mean(axis=1)), rate


def decode_audio(path: Path) -> tuple[np.ndarray, int]:
    """Samples as float32 (N, C) and the rate in Hz.

    Problem when the file is missing, is no audio file, is damaged, or holds no samples or
    samples that are not finite.
    """
    try:
        return decode_samples(path)
    except (OSError, ValueError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise Problem("engine.data.corrupt", ExitCode.DATA, file=str(path), why=why) from error


def decode_samples(path: Path) -> tuple[np.ndarray, int]:
    """As `decode_audio`, with the decoder's own OSError or ValueError.

    What a file holds counts, not how its name ends: where one decoder does not know it, the other
    is asked.
    """
    decoders = [_decode_with_soundfile, _decode_with_pyav]
    if path.suffix.lower() in CONTAINER_SUFFIXES:
        decoders.reverse()
    try:
        samples, rate = decoders[0](path)
    except _UnknownFormatError as unknown:
        try:
            samples, rate = decoders[1](path)
        except _UnknownFormatError:
            raise unknown from None  # the reason of the decoder that fits the name
    if samples.size == 0:
        raise ValueError("no samples")
    if not np.isfinite(samples).all():
        raise ValueError("samples that are not numbers")
    return samples, rate


def header_length(path: Path) -> tuple[float, int, int] | None:
    """Seconds, rate in Hz and channels by the header; None for what only PyAV reads."""
    try:
        with path.open("rb") as file:
            info = soundfile.info(file)
    except soundfile.SoundFileError:
        return None
    return float(info.duration), int(info.samplerate), int(info.channels)


def _decode_with_soundfile(path: Path) -> tuple[np.ndarray, int]:
    with path.open("rb") as file:  # opened here: libsndfile does not say why a file won't open
        try:
            sound = soundfile.SoundFile(file)
        except soundfile.SoundFileError as error:
            raise _UnknownFormatError(str(error)) from error
        with sound:
            expected, rate = sound.frames, int(sound.samplerate)
            try:
                samples = sound.read(dtype="float32", always_2d=True)
            except (soundfile.SoundFileError, EOFError) as error:
                raise ValueError(str(error)) from error
    if len(samples) < _WHOLE * expected:
        raise ValueError(f"cut off: {len(samples)} of {expected} samples")
    return samples, rate


def _decode_with_pyav(path: Path) -> tuple[np.ndarray, int]:
    import av

    with path.open("rb") as file:
        try:
            container = av.open(file, mode="r")
        except av.FFmpegError as error:
            raise _UnknownFormatError(str(error)) from error
        with container:
            if not container.streams.audio:
                raise _UnknownFormatError("no sound track")
            stream = container.streams.audio[0]
            planar = av.AudioResampler(format="fltp")
            try:
                parts = [
                    part.to_ndarray()
                    for frame in (*container.decode(stream), None)  # None flushes what is left
                    for part in planar.resample(frame)
                ]
            except av.FFmpegError as error:
                raise ValueError(str(error)) from error
            rate = int(stream.rate)
    if not parts:
        raise ValueError("no samples")
    return np.concatenate(parts, axis=1).T.astype(np.float32), rate
