"""Decoding and resampling: every format people send, in this process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from prepare_signals import tone

from sovdeck.engine.audio.load import decode_audio, load_mono
from sovdeck.engine.audio.resample import resample
from sovdeck.engine.contract.problem import ExitCode, Problem


def write_m4a(path: Path, wav: np.ndarray, rate: int) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=rate, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wav.T), "fltp", "stereo")
        frame.sample_rate = rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3", "ogg", "m4a"])
def test_each_format_keeps_the_signal(tmp_path: Path, ending: str) -> None:
    wav = np.stack([tone(1.5, 44100), 0.5 * tone(1.5, 44100)], 1)
    path = tmp_path / f"a.{ending}"
    if ending == "m4a":
        write_m4a(path, wav, 44100)
    else:
        soundfile.write(path, wav, 44100)
    samples, rate = decode_audio(path)
    assert rate == 44100 and samples.dtype == np.float32 and samples.shape[1] == 2
    mono, _ = load_mono(path)
    assert mono.ndim == 1 and mono.dtype == np.float32 and mono.flags["C_CONTIGUOUS"]
    assert abs(len(mono) - len(wav)) <= 4096  # lossy coders pad with up to two frames
    wanted = wav.mean(1)
    # Coders may delay the signal by a frame or two; correlate over that range.
    size = 30000
    best = max(
        np.corrcoef(mono[shift : shift + size], wanted[8000 : 8000 + size])[0, 1]
        for shift in range(8000, 8000 + 2304, 8)
    )
    assert best > 0.98


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3", "ogg", "m4a"])
@pytest.mark.parametrize("data", [b"", b"not a sound", b"RIFF\xff\xff\xff\xffWAVE", b"\x00" * 5000])
def test_damaged_files_are_problems(tmp_path: Path, ending: str, data: bytes) -> None:
    path = tmp_path / f"a.{ending}"
    path.write_bytes(data)
    with pytest.raises(Problem) as damaged:
        load_mono(path)
    assert damaged.value.key == "engine.data.corrupt" and damaged.value.exit_code is ExitCode.DATA
    with pytest.raises(Problem):
        load_mono(tmp_path / f"gone.{ending}")


def test_not_a_number_is_noticed(tmp_path: Path) -> None:
    wav = tone(1.0)
    wav[100] = np.nan
    soundfile.write(tmp_path / "a.wav", wav, 24000, subtype="FLOAT")
    with pytest.raises(Problem):
        load_mono(tmp_path / "a.wav")


def test_resampling_keeps_a_tone() -> None:
    for rate in (8000, 22050, 44100, 48000):
        there = resample(tone(1.0, rate), rate, 32000)
        assert there.dtype == np.float32 and len(there) == 32000
        middle = slice(1000, -1000)
        assert np.abs(there[middle] - tone(1.0, 32000)[middle]).max() < 0.01
    same = tone(0.1)
    assert resample(same, 24000, 24000) is same
