"""Decode a sound file in-process: wav, flac, mp3, ogg through libsndfile, m4a through PyAV."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from engine.contract.problem import ExitCode, Problem

# Containers libsndfile does not know; everything else is tried with it.
_PYAV_ENDINGS = {".m4a", ".mp4", ".aac", ".m4b", ".wma", ".webm", ".mka", ".opus", ".mov", ".mkv"}
SOUND_ENDINGS = frozenset(
    {".wav", ".flac", ".mp3", ".ogg", ".oga", ".aif", ".aiff", ".au", ".w64", ".caf"}
    | _PYAV_ENDINGS
)


def load(path: Path) -> tuple[np.ndarray, int]:
    """Samples as float32 mono (N,), nominally in [-1, 1], and the rate in Hz.

    Channels are averaged. Problem as `decode`.
    """
    samples, rate = decode(path)
    return np.ascontiguousarray(samples.mean(axis=1)), rate


def decode(path: Path) -> tuple[np.ndarray, int]:
    """Samples as float32 (N, C) and the rate in Hz.

    Problem when the file is missing, is no sound file, is damaged, or holds no samples or
    samples that are not finite.
    """
    try:
        read = _with_pyav if path.suffix.lower() in _PYAV_ENDINGS else _with_soundfile
        samples, rate = read(path)
        if samples.size == 0:
            raise ValueError("no samples")
        if not np.isfinite(samples).all():
            raise ValueError("samples that are not numbers")
    except (soundfile.SoundFileError, OSError, ValueError, EOFError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise Problem("engine.data.corrupt", ExitCode.DATA, file=str(path), why=why) from error
    return samples, rate


def _with_soundfile(path: Path) -> tuple[np.ndarray, int]:
    with path.open("rb") as file:  # opened here: libsndfile does not say why a file won't open
        samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    return samples, int(rate)


def _with_pyav(path: Path) -> tuple[np.ndarray, int]:
    import av

    with path.open("rb") as file:
        try:
            with av.open(file) as container:
                if not container.streams.audio:
                    raise ValueError("no sound track")
                stream = container.streams.audio[0]
                planar = av.AudioResampler(format="fltp")
                parts = [
                    part.to_ndarray()
                    for frame in (*container.decode(stream), None)  # None flushes what is left
                    for part in planar.resample(frame)
                ]
                rate = int(stream.rate)
        except av.FFmpegError as error:
            raise ValueError(str(error)) from error
    if not parts:
        raise ValueError("no samples")
    return np.concatenate(parts, axis=1).T.astype(np.float32), rate
