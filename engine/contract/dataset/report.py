"""What a dataset is worth: a pure function of its checked clips.

Everything a person should know before money burns: how much speech of whom, how long the
clips are, how loud and noisy, whose text hardly fits its sound, and what is left out and why.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from engine.contract.catalogue import Language, Text, text
from engine.contract.dataset.check import Checked
from engine.contract.dataset.clip import ClipFacts
from engine.contract.dataset.items import Item
from engine.contract.problem import ExitCode, Problem

EDGES = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 10.0, 15.0, 38.0, 54.0)  # seconds
_NOISY_DB = 20.0  # less than this between speech and its pauses is heard as noise
_ODD_LEVEL_DB = 9.0  # this far from the usual loudness, a clip stands out
_SOME_CLIPPED = 0.0005
_FEWEST = 8  # clips of a language before a pace counts as unusual
_FAR, _VERY_FAR = 3.5, 6.0  # robust deviations from the usual pace
_LEAST_RATIO = 1.35


@dataclass(frozen=True)
class Suspect:
    """A clip to listen to, with the reasons; the higher `score` the sooner."""

    item: Item
    score: float
    reasons: tuple[Problem, ...]


@dataclass(frozen=True)
class Report:
    """Figures over the usable clips; levels are medians in dB, None where none was measured."""

    clips: int
    seconds: float
    unmeasured: int
    spoken: tuple[tuple[str, str, int, float], ...]  # speaker, language, clips, seconds
    histogram: tuple[tuple[float, float, int], ...]  # from, to, clips
    level_db: float | None
    noise_db: float | None
    pace: tuple[tuple[str, float], ...]  # language, characters a second
    suspects: tuple[Suspect, ...]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "clips": self.clips,
            "seconds": round(self.seconds, 2),
            "unmeasured": self.unmeasured,
            "spoken": [
                {"speaker": who, "language": what, "clips": count, "seconds": round(seconds, 2)}
                for who, what, count, seconds in self.spoken
            ],
            "histogram": [
                {"from": low, "to": high, "clips": count} for low, high, count in self.histogram
            ],
            "level_db": self.level_db,
            "noise_db": self.noise_db,
            "pace": dict(self.pace),
            "suspects": [
                {
                    "name": suspect.item.name,
                    "line": suspect.item.line,
                    "score": round(suspect.score, 2),
                    "reasons": [reason.as_json() for reason in suspect.reasons],
                }
                for suspect in self.suspects
            ],
            "problems": [problem.as_json() for problem in self.problems],
            "notes": [note.as_json() for note in self.notes],
        }

    def lines(self, language: Language) -> list[str]:
        """The report as a person reads it, suspects worst first."""
        return [line.get(language) for line in self._texts()] + [
            problem.sentence(language) for problem in (*self.reasons(), *self.problems, *self.notes)
        ]

    def _texts(self) -> Iterable[Text]:
        yield text(
            "engine.report.total",
            clips=self.clips,
            minutes=f"{self.seconds / 60:.1f}",
            problems=len(self.problems),
            suspects=len(self.suspects),
        )
        for who, what, count, seconds in self.spoken:
            minutes = f"{seconds / 60:.1f}"
            yield text(
                "engine.report.spoken", speaker=who or "-", language=what, clips=count,
                minutes=minutes,
            )  # fmt: skip
        most = max((count for _, _, count in self.histogram), default=0)
        for low, high, count in self.histogram:
            bar = "█" * math.ceil(30 * count / most) if most else ""
            yield text(
                "engine.report.length", low=f"{low:g}", high=f"{high:g}", clips=count, bar=bar
            )
        if self.level_db is not None and self.noise_db is not None:
            yield text(
                "engine.report.levels", level=round(self.level_db), noise=round(self.noise_db)
            )
        for language, pace in self.pace:
            yield text("engine.report.pace", language=language, pace=f"{pace:.1f}")
        for words, counted in (
            ("engine.report.left_out", tally(self.problems)),
            ("engine.report.listen", tally(self.reasons())),
            ("engine.report.remarks", tally(self.notes)),
        ):
            if counted:
                en = ", ".join(f"{count} {short.en}" for short, count in counted)
                zh = "、".join(f"{count} {short.zh}" for short, count in counted)
                yield Text(text(words, reasons=en).en, text(words, reasons=zh).zh)
        if self.unmeasured:
            yield text("engine.report.unmeasured", clips=self.unmeasured)

    def reasons(self) -> Iterable[Problem]:
        """Why clips should be listened to, worst first."""
        return (reason for suspect in self.suspects for reason in suspect.reasons)


def tally(problems: Iterable[Problem]) -> list[tuple[Text, int]]:
    """How often each reason occurs, in few words, the most frequent first."""
    counts = Counter(problem.key.rsplit(".", 1)[1] for problem in problems)
    return [(text(f"engine.report.short_{reason}"), n) for reason, n in counts.most_common()]


def make_report(checked: Checked) -> Report:
    """Judge the usable clips of a dataset against each other."""
    manifest, facts = checked.manifest, checked.facts
    measured = [(item, facts[item.name]) for item in manifest.items if item.name in facts]
    seconds = [fact.seconds for _, fact in measured]
    paces = _paces(measured)
    usual_level = _median(fact.level_db for _, fact in measured)
    suspects = [
        Suspect(item, sum(score for score, _ in reasons), tuple(why for _, why in reasons))
        for item, fact in measured
        if (reasons := _suspicions(manifest.source.name, item, fact, paces, usual_level))
    ]
    return Report(
        clips=len(manifest.items),
        seconds=sum(seconds),
        unmeasured=len(manifest.items) - len(measured),
        spoken=_spoken(manifest.items, facts),
        histogram=tuple(
            (low, high, sum(low <= length < high for length in seconds))
            for low, high in zip(EDGES, EDGES[1:], strict=False)
        ),
        level_db=usual_level,
        noise_db=_median(fact.noise_db for _, fact in measured),
        pace=tuple((language, pace.usual) for language, pace in sorted(paces.items())),
        suspects=tuple(sorted(suspects, key=lambda suspect: -suspect.score)),
        problems=manifest.problems,
        notes=manifest.notes,
    )


def characters(words: str) -> int:
    """Letters and digits of a text: what takes time to say."""
    return sum(letter.isalnum() for letter in words)


@dataclass(frozen=True)
class _Pace:
    usual: float  # characters a second
    spread: float  # of their logarithms, robust; 0 with too few clips to tell

    def deviation(self, pace: float) -> float:
        """How many usual deviations `pace` is off; negative is slow."""
        return math.log(pace / self.usual) / self.spread if self.spread else 0.0


def _paces(measured: Sequence[tuple[Item, ClipFacts]]) -> dict[str, _Pace]:
    by_language: dict[str, list[float]] = {}
    for item, fact in measured:
        pace = characters(item.text) / fact.seconds
        by_language.setdefault(item.language, []).append(pace)
    found = {}
    for language, paces in by_language.items():
        usual = median(paces)
        away = median(abs(math.log(pace / usual)) for pace in paces)
        # 1.4826 makes the median deviation a standard one; a very even set still varies a bit.
        spread = max(1.4826 * away, 0.08) if len(paces) >= _FEWEST else 0.0
        found[language] = _Pace(usual, spread)
    return found


def _suspicions(
    source: str, item: Item, fact: ClipFacts, paces: dict[str, _Pace], usual_level: float | None
) -> list[tuple[float, Problem]]:
    where = {"file": source, "line": item.line, "name": item.name}
    reasons: list[tuple[float, Problem]] = []
    pace = characters(item.text) / fact.seconds
    usual = paces[item.language]
    off = usual.deviation(pace)
    ratio = max(pace / usual.usual, usual.usual / pace)
    if abs(off) > _FAR and ratio > _LEAST_RATIO:
        # As far as this, some words are missing in the text or in the sound.
        key = "engine.report.mismatch" if abs(off) > _VERY_FAR else "engine.report.odd_pace"
        facts = {"pace": round(pace, 1), "usual": round(usual.usual, 1), **where}
        reasons.append((abs(off), Problem(key, ExitCode.DATA, **facts)))
    if fact.clipped is not None and fact.clipped > _SOME_CLIPPED:
        percent = round(100 * fact.clipped, 2)
        problem = Problem("engine.report.clipping", ExitCode.DATA, percent=percent, **where)
        reasons.append((3 + 100 * fact.clipped, problem))
    if fact.level_db is not None and fact.noise_db is not None:
        distance = fact.level_db - fact.noise_db
        if distance < _NOISY_DB:
            problem = Problem("engine.report.noisy", ExitCode.DATA, db=round(distance), **where)
            reasons.append((1 + (_NOISY_DB - distance) / 5, problem))
        if usual_level is not None and abs(fact.level_db - usual_level) > _ODD_LEVEL_DB:
            level = round(fact.level_db - usual_level)
            problem = Problem("engine.report.odd_level", ExitCode.DATA, db=f"{level:+d}", **where)
            reasons.append((1.0, problem))
    return reasons


def _spoken(
    items: Sequence[Item], facts: dict[str, ClipFacts]
) -> tuple[tuple[str, str, int, float], ...]:
    groups: dict[tuple[str, str], list[float]] = {}
    for item in items:
        seconds = facts[item.name].seconds if item.name in facts else 0.0
        groups.setdefault((item.speaker, item.language), []).append(seconds)
    return tuple(
        (speaker, language, len(lengths), sum(lengths))
        for (speaker, language), lengths in sorted(groups.items())
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
