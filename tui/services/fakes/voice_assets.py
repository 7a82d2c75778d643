"""The made-up weights, reference clips and sentences of the Speak and Audition screens."""

from __future__ import annotations

import math
import re

from sovdeck.engine.contract.voice_assets import ReferenceClip, WeightFile
from sovdeck.tui.state.speech_models import VoiceAssetsState

SENTENCES = (
    "おはようございます。今日はいい天気ですね。",
    "高性能ですから、なんでも聞いてください。",
)
PEAKS_PER_S = 20  # values of a waveform a second


def fake_peaks(seed: int, seconds: float) -> tuple[float, ...]:
    """Something that looks like speech: syllables under phrases, 0 to 1, always the same."""
    peaks = []
    for n in range(max(8, round(seconds * PEAKS_PER_S))):
        t = n / PEAKS_PER_S
        syllable = abs(math.sin(9.1 * t + seed)) ** 0.7
        phrase = max(0.03, math.sin(1.9 * t + 0.7 * seed) * 0.5 + 0.55)
        peaks.append(round(min(1.0, syllable * phrase * 0.95), 3))
    return tuple(peaks)


def _clip(number: int, text: str, seconds: float, score: float) -> ReferenceClip:
    return ReferenceClip(
        f"data/Mika/MIK_b101_{number:03}.wav",
        text,
        "ja",
        seconds,
        score,
        fake_peaks(number, seconds),
        (1.2, 7.2) if seconds > 10 else None,
    )


MIKA = VoiceAssetsState(
    "lab-a100",
    "Mika",
    tuple(WeightFile(f"Mika-e{e}.ckpt", e, 155_284_200) for e in (5, 10, 15)),
    tuple(WeightFile(f"Mika_e{e}_s{e * 140}.pth", e, 84_913_114) for e in (4, 8, 12, 16)),
    (
        _clip(12, "おはようございます、マスター。よく眠れましたか。", 5.8, 0.94),
        _clip(31, "高性能ですから、お任せください。", 4.1, 0.91),
        _clip(7, "海の向こうには、何があるのでしょう。", 6.7, 0.88),
        _clip(54, "それは、とても大切な思い出です。", 3.4, 0.83),
        _clip(3, "ええと、少しだけ考える時間をいただけますか。大事なことですから。", 12.6, 0.79),
    ),
)
# A voice whose first GPT weight is still to come.
ATRI = VoiceAssetsState(
    "tokyo-4090",
    "ATRI",
    (),
    tuple(WeightFile(f"ATRI_e{e}_s{e * 140}.pth", e, 84_913_114) for e in (4, 8)),
    (ReferenceClip("data/ATRI/ATR_b101_001.wav", "はい。", "ja", 3.2, 0.7, fake_peaks(2, 3.2)),),
)
LOCAL_CLIP = ReferenceClip("", "", "", 14.2, None, fake_peaks(21, 14.2), (3.1, 9.1))


def penalty(gpt: str, sovits: str, sentence: int) -> float:
    """Best near GPT 10 and SoVITS 12, worse the farther from there."""
    g, s = (int(found[1]) if (found := re.search(r"e(\d+)", name)) else 0 for name in (gpt, sovits))
    return round(0.21 + abs(g - 10) * 0.06 + abs(s - 12) * 0.05 + 0.07 * sentence, 2)
