"""The tone of a take: pitch moves by semitones, length and formants stay."""

from __future__ import annotations

import sys

import numpy as np
import parselmouth
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


def median_pitch(samples: np.ndarray) -> float:
    track = parselmouth.Sound(samples.astype(float), RATE).to_pitch().selected_array["frequency"]
    return float(np.median(track[track > 0]))


def formants(samples: np.ndarray) -> list[float]:
    found = parselmouth.Sound(samples.astype(float), RATE).to_formant_burg()
    return [found.get_value_at_time(number, 0.7) for number in (1, 2)]


@pytest.mark.parametrize("semitones", [-4.0, 3.0, 7.0])
def test_the_pitch_moves_and_length_and_formants_stay(semitones: float) -> None:
    before = vowel()
    after = shift_pitch(before, RATE, semitones)
    assert after.shape == before.shape and after.dtype == np.float32
    moved = 12 * np.log2(median_pitch(after) / median_pitch(before))
    assert moved == pytest.approx(semitones, abs=0.2)
    # Resampling would have moved them by as much as the pitch: 19 % and more.
    assert formants(after) == pytest.approx(formants(before), rel=0.08)


def test_what_has_no_pitch_and_zero_stay_as_they_are() -> None:
    noise = (0.1 * np.random.default_rng(1).standard_normal(RATE)).astype(np.float32)
    assert shift_pitch(noise, RATE, 5.0).shape == noise.shape
    assert shift_pitch(np.zeros(RATE, np.float32), RATE, 5.0).max() == 0.0
    tiny = vowel(0.05)
    assert shift_pitch(tiny, RATE, 5.0) is tiny
    assert shift_pitch(noise, RATE, 0.0) is noise


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "parselmouth", None)
    with pytest.raises(Problem) as missing:
        shift_pitch(vowel(0.2), RATE, 1.0)
    assert missing.value.key == "engine.speaking.no_pitch_package"
    assert SpeakSettings.from_params({}).pitch == 0.0, "off unless asked for"
