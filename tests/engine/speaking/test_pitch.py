"""The tone of a take: pitch moves by semitones, length and formants stay."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pyopenjtalk
import pytest

from sovdeck.engine.audio.pitch import shift_pitch
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.settings import SpeakSettings

RATE = 32_000


def vowel(seconds: float = 1.5, pitch: float = 140.0) -> np.ndarray:
    """A pulse train through two resonances, as of an open vowel: formants at 700 and 1200 Hz."""
    count = round(seconds * RATE)
    source = np.zeros(count)
    source[:: round(RATE / pitch)] = 1.0
    for frequency, width in ((700.0, 80.0), (1200.0, 90.0)):
        radius = np.exp(-np.pi * width / RATE)
        turn = 2 * radius * np.cos(2 * np.pi * frequency / RATE)
        out = np.zeros(count)
        for n in range(count):
            out[n] = source[n] + turn * out[n - 1] - radius**2 * out[n - 2]
        source = out
    return (0.5 * source / np.abs(source).max()).astype(np.float32)


def spoken() -> tuple[np.ndarray, int]:
    """A sentence of the practice voice: vowels, consonants, pauses."""
    samples, rate = pyopenjtalk.tts("おはようございます。今日はとても良い天気ですね。")
    return (samples / 32768).astype(np.float32), rate


def frames(samples: np.ndarray, rate: int) -> np.ndarray:
    """Windows (T, W) of 40 ms, one every 10 ms."""
    width, step = rate // 25, rate // 100
    return np.lib.stride_tricks.sliding_window_view(samples, width)[::step] * np.hanning(width)


def pitches(samples: np.ndarray, rate: int = RATE) -> np.ndarray:
    """Hz of each window by its autocorrelation, between 70 and 500; 0 where there is none."""
    found = []
    for frame in frames(samples.astype(np.float64), rate):
        spectrum = np.abs(np.fft.rfft(frame, 2 * len(frame))) ** 2
        # A window weighs long lags less than short ones, which would favour high pitches.
        hann = np.abs(np.fft.rfft(np.hanning(len(frame)), 2 * len(frame))) ** 2
        lags = (
            np.fft.irfft(spectrum)[: len(frame)]
            / np.maximum(np.fft.irfft(hann), 1e-6)[: len(frame)]
        )
        low, high = rate // 500, rate // 70
        # Twice a period is one as well: the first lag that is nearly the best, up its slope.
        at = low + int((lags[low:high] > 0.9 * lags[low:high].max()).argmax())
        while at < high and lags[at + 1] > lags[at]:
            at += 1
        before, here, after = lags[at - 1 : at + 2]
        whole = 0.5 * (before - after) / (before - 2 * here + after)
        sure = here > 0.7 * lags[0] > 1e-5
        found.append(rate / (at + whole) if sure else 0.0)
    return np.array(found)


def semitones_between(before: np.ndarray, after: np.ndarray, rate: int = RATE) -> float:
    """The median way from one pitch to the other, of windows where both have one."""
    old, new = pitches(before, rate), pitches(after, rate)
    both = (old > 0) & (new > 0)
    assert both.sum() > 20
    return float(np.median(12 * np.log2(new[both] / old[both])))


def formants(samples: np.ndarray) -> list[float]:
    """The first two resonances in Hz, by linear prediction of the middle at 8 kHz."""
    kept = np.fft.rfft(samples.astype(np.float64))[: len(samples) // 8 + 1]
    slow = np.fft.irfft(kept)  # everything above 4 kHz left out
    piece = slow[len(slow) // 2 - 400 : len(slow) // 2 + 400]
    piece = np.append(piece[0], piece[1:] - 0.95 * piece[:-1]) * np.hamming(len(piece))
    lags = np.correlate(piece, piece, "full")[len(piece) - 1 :][:9]
    table = lags[np.abs(np.subtract.outer(np.arange(8), np.arange(8)))]
    poles = np.roots([1.0, *-np.linalg.solve(table, lags[1:])])
    sharp = poles[(np.abs(poles) > 0.8) & (poles.imag > 0)]
    return [float(hz) for hz in sorted(np.angle(sharp) * 8000 / (2 * np.pi)) if hz > 300][:2]


def envelope(samples: np.ndarray, rate: int) -> np.ndarray:
    """The mean loudness in dB of thirds of octaves from 300 to 5000 Hz, by its own mean."""
    power = (np.abs(np.fft.rfft(frames(samples, rate))) ** 2).mean(0)
    hz = np.fft.rfftfreq(2 * (len(power) - 1), 1 / rate)
    edges = 300 * 2 ** (np.arange(14) / 3)
    bands = [power[(hz >= a) & (hz < b)].mean() for a, b in itertools.pairwise(edges)]
    return 10 * np.log10(bands) - 10 * np.log10(np.mean(bands))


@pytest.mark.parametrize("semitones", [-4.0, 3.0, 7.0])
def test_the_pitch_moves_and_length_and_formants_stay(semitones: float) -> None:
    before = vowel()
    after = shift_pitch(before, RATE, semitones)
    assert after.shape == before.shape and after.dtype == np.float32
    assert semitones_between(before, after) == pytest.approx(semitones, abs=0.2)
    # Resampling would have moved them by as much as the pitch: 19 % and more.
    assert formants(after) == pytest.approx(formants(before), rel=0.08)


@pytest.mark.parametrize("semitones", [-4.0, 4.0])
def test_a_sentence_moves_and_keeps_its_timbre_and_its_pauses(semitones: float) -> None:
    before, rate = spoken()
    after = shift_pitch(before, rate, semitones)
    assert after.shape == before.shape and after.dtype == np.float32
    assert semitones_between(before, after, rate) == pytest.approx(semitones, abs=0.3)
    kept = np.abs(envelope(after, rate) - envelope(before, rate)).mean()
    resampled = np.interp(
        np.arange(0, len(before), 2 ** (semitones / 12)), np.arange(len(before)), before
    )
    moved = np.abs(envelope(resampled, rate) - envelope(before, rate)).mean()
    assert kept < 2.5 and kept < 0.7 * moved
    silent = frames(before, rate).std(1) < 1e-4
    assert silent.any() and frames(after, rate).std(1)[silent].max() < 1e-3


def test_what_has_no_pitch_and_zero_stay_as_they_are() -> None:
    noise = (0.1 * np.random.default_rng(1).standard_normal(RATE)).astype(np.float32)
    assert shift_pitch(noise, RATE, 5.0).shape == noise.shape
    assert shift_pitch(np.zeros(RATE, np.float32), RATE, 5.0).max() == 0.0
    tiny = vowel(0.05)
    assert shift_pitch(tiny, RATE, 5.0) is tiny
    assert shift_pitch(noise, RATE, 0.0) is noise


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyworld", None)
    with pytest.raises(Problem) as missing:
        shift_pitch(vowel(0.2), RATE, 1.0)
    assert missing.value.key == "engine.speaking.no_pitch_package"
    assert SpeakSettings.from_params({}).pitch == 0.0, "off unless asked for"
