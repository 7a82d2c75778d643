"""What a recogniser heard against what was to be said, in phones: words lost, or too much.

A recogniser mishears single phones of good speech, here and there. A fault of the voice is another
thing: phones in a row that are missing (a word was cut), or that nobody wrote (a word was said
twice, the reference's words came along), or both (words changed places). So runs are looked for,
not a share alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

FaultKind = Literal["lost", "added", "different"]
# Above this share of wrong phones nothing in a row is needed: the sentence was not understood.
MAX_PHONE_ERROR = 0.3
# A run is a fault from this weight on; a missing or additional phone weighs 1. Two moras of
# Japanese and most words of English and Korean have three phones or more, of which one may be
# misheard; a word of Chinese may be one syllable, which is two.
_FAULT_WEIGHT = 2.4
_SYLLABLE_WEIGHT = 2.0
_OF_SYLLABLES = ("zh", "yue")
_REPLACED, _ALIKE = 0.6, 0.3
_MATCH = -0.75  # a few right ones between wrong ones belong to the same run
_VOWELS = frozenset("aeiou")
# Consonants that are taken for one another, by ear and by recognisers.
_NEAR = tuple(
    map(
        frozenset,
        (
            ("b", "p"),
            ("d", "t", "dd"),
            ("g", "k"),
            ("v", "f", "w"),
            ("z", "s", "zh", "sh", "th", "dh", "x", "j", "c", "ch", "q", "jh", "ts"),
            ("n", "m", "ng", "l", "r"),
            ("h", "hh", "f"),
            ("y", "i"),
        ),
    )
)


@dataclass(frozen=True)
class SpeechFault:
    """Phones in a row that are wrong: which were expected there, and which were heard instead.

    `start` is the place of the first one among the expected phones.
    """

    kind: FaultKind
    start: int
    expected: tuple[str, ...]
    heard: tuple[str, ...]


@dataclass(frozen=True)
class HeardSpeech:
    """What came of listening: the share of wrong phones, and the faults."""

    error: float
    faults: tuple[SpeechFault, ...] = ()

    @property
    def is_doubtful(self) -> bool:
        """Whether a person should listen, or the sentence be spoken again."""
        return bool(self.faults) or self.error > MAX_PHONE_ERROR


@dataclass(frozen=True)
class _Step:
    """One step of the alignment. `expected` or `heard` is "" where the other has no partner."""

    expected: str
    heard: str
    at: int

    @property
    def weight(self) -> float:
        if self.expected == self.heard:
            return _MATCH
        if not self.expected or not self.heard:
            return 1.0
        return _ALIKE if _are_near(self.expected, self.heard) else _REPLACED


def compare_phones(
    expected: Sequence[str], heard: Sequence[str], language: str = ""
) -> HeardSpeech:
    """Compare phones without tones or stress; a language mode sets how long a word may be.

    Without any expected or heard phone the error is 1.
    """
    if not expected or not heard:
        return HeardSpeech(1.0)
    steps = _align(expected, heard)
    wrong = sum(step.expected != step.heard for step in steps)
    plain = language.removeprefix("all_")
    least = _SYLLABLE_WEIGHT if plain in _OF_SYLLABLES else _FAULT_WEIGHT
    return HeardSpeech(wrong / len(expected), tuple(_find_faults(steps, least)))


def _find_faults(steps: Sequence[_Step], least: float) -> Iterator[SpeechFault]:
    """Runs whose weights sum up to `least`, each as long as its sum grows."""
    start, total, best, end = 0, 0.0, 0.0, 0
    for index, step in enumerate((*steps, None)):
        ended = step is None or total + step.weight <= 0.0
        if not ended:
            assert step is not None
            total += step.weight
            if total > best:
                best, end = total, index + 1
            continue
        if best >= least:
            yield _fault(steps[start:end])
        start, total, best = index + 1, 0.0, 0.0


def _fault(steps: Sequence[_Step]) -> SpeechFault:
    expected = tuple(step.expected for step in steps if step.expected)
    heard = tuple(step.heard for step in steps if step.heard)
    kind: FaultKind = "different"
    if 2 * len(heard) < len(expected):
        kind = "lost"
    elif 2 * len(expected) < len(heard):
        kind = "added"
    return SpeechFault(kind, steps[0].at, expected, heard)


def _align(expected: Sequence[str], heard: Sequence[str]) -> list[_Step]:
    """The cheapest alignment, in which near phones are partners rather than strangers."""
    rows = [[float(j) for j in range(len(heard) + 1)]]
    for i, phone in enumerate(expected, start=1):
        above, row = rows[-1], [float(i)]
        for j, other in enumerate(heard, start=1):
            replaced = above[j - 1] + _distance(phone, other)
            row.append(min(replaced, above[j] + 1.0, row[j - 1] + 1.0))
        rows.append(row)
    steps: list[_Step] = []
    i, j = len(expected), len(heard)
    while i or j:
        here = rows[i][j]
        if i and j and here == rows[i - 1][j - 1] + _distance(expected[i - 1], heard[j - 1]):
            i, j = i - 1, j - 1
            steps.append(_Step(expected[i], heard[j], i))
        elif i and here == rows[i - 1][j] + 1.0:
            i -= 1
            steps.append(_Step(expected[i], "", i))
        else:
            j -= 1
            steps.append(_Step("", heard[j], i))
    return steps[::-1]


def _distance(a: str, b: str) -> float:
    if a == b:
        return 0.0
    return 0.7 if _are_near(a, b) else 1.2


def _are_near(a: str, b: str) -> bool:
    if a[0] in _VOWELS and b[0] in _VOWELS:
        return True
    return any(a in near and b in near for near in _NEAR)
