"""Report on the quality of a dataset: a pure function of its checked clips.

How much speech of whom, how long, loud and noisy the clips are, whose text hardly fits the
recording, and what is left out and why.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from statistics import median
from typing import Any

from sovdeck.engine.contract.catalogue import Language, Text, text
from sovdeck.engine.contract.dataset.check import CheckedDataset
from sovdeck.engine.contract.dataset.clip import ClipMeasurement
from sovdeck.engine.contract.dataset.foreign_scripts import find_foreign_letters
from sovdeck.engine.contract.dataset.items import DatasetItem
from sovdeck.engine.contract.problem import ExitCode, Problem

HISTOGRAM_EDGES_S = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 10.0, 15.0, 38.0, 54.0)  # seconds
_MIN_SIGNAL_TO_NOISE_DB = 20.0  # less than this between speech and pauses sounds noisy
_ODD_LEVEL_DB = 9.0  # this far from the usual loudness, a clip stands out
_MAX_CLIPPED_FRACTION = 0.0005
_MIN_CLIPS_FOR_PACE = 8  # clips of a language before a pace counts as unusual
_ODD_PACE_DEVIATION, _MISMATCH_DEVIATION = 3.5, 6.0  # robust deviations from the usual pace
_MIN_PACE_RATIO = 1.35
_MAX_NAMED = 8  # letters without a sound that one reason names
_MAX_GLOSS_ROWS, _MAX_GLOSS = 20, 24  # lines of the gloss table, letters of each


@dataclass(frozen=True)
class SuspectClip:
    """A clip to listen to, with the reasons; the higher `score` the sooner.

    `gloss` is the letters of its transcript that have no sound.
    """

    item: DatasetItem
    score: float
    reasons: tuple[Problem, ...]
    gloss: str = ""


@dataclass(frozen=True)
class DatasetQualityReport:
    """Statistics of the usable clips; levels are medians in dB, None where none was measured."""

    clips: int
    seconds: float
    unmeasured: int
    speaker_totals: tuple[tuple[str, str, int, float], ...]  # speaker, language, clips, seconds
    histogram: tuple[tuple[float, float, int], ...]  # from, to, clips
    level_db: float | None
    noise_db: float | None
    pace: tuple[tuple[str, float], ...]  # language, characters a second
    suspects: tuple[SuspectClip, ...]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    # What is usual in each language: with it one corrected clip is judged without all others.
    pace_statistics: Mapping[str, _PaceStatistics] = field(
        default_factory=dict, compare=False, repr=False
    )

    def as_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "clips": self.clips,
            "seconds": round(self.seconds, 2),
            "unmeasured": self.unmeasured,
            "spoken": [
                {
                    "speaker": speaker,
                    "language": language,
                    "clips": count,
                    "seconds": round(seconds, 2),
                }
                for speaker, language, count, seconds in self.speaker_totals
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
                    "gloss": suspect.gloss,
                    "reasons": [reason.as_json() for reason in suspect.reasons],
                }
                for suspect in self.suspects
            ],
            "problems": [problem.as_json() for problem in self.problems],
            "notes": [note.as_json() for note in self.notes],
        }

    def format_lines(self, language: Language) -> list[str]:
        """The report as lines of text, suspects worst first."""
        return [line.get(language) for line in self._summary_sentences()] + [
            problem.sentence(language) for problem in (*self.reasons(), *self.problems, *self.notes)
        ]

    def _summary_sentences(self) -> Iterable[Text]:
        yield text(
            "engine.report.total",
            clips=self.clips,
            minutes=f"{self.seconds / 60:.1f}",
            problems=len(self.problems),
            suspects=len(self.suspects),
        )
        for speaker, spoken, count, seconds in self.speaker_totals:
            minutes = f"{seconds / 60:.1f}"
            yield text(
                "engine.report.spoken",
                speaker=speaker or "-",
                language=spoken,
                clips=count,
                minutes=minutes,
            )
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
        for key, counted in (
            ("engine.report.left_out", count_reasons(self.problems)),
            ("engine.report.listen", count_reasons(self.reasons())),
            ("engine.report.remarks", count_reasons(self.notes)),
        ):
            if counted:
                en = ", ".join(f"{count} {short.en}" for short, count in counted)
                zh = "、".join(f"{count} {short.zh}" for short, count in counted)
                yield Text(text(key, reasons=en).en, text(key, reasons=zh).zh)
        if any(suspect.gloss for suspect in self.suspects):
            yield text("engine.report.gloss")
            for suspect in self._worst_glosses():
                yield text(
                    "engine.report.gloss_row",
                    line=suspect.item.line,
                    name=suspect.item.name,
                    gloss=suspect.gloss[:_MAX_GLOSS] + "…" * (len(suspect.gloss) > _MAX_GLOSS),
                )
        if self.unmeasured:
            yield text("engine.report.unmeasured", clips=self.unmeasured)

    def _worst_glosses(self) -> list[SuspectClip]:
        """Return the clips with letters without a sound, most of their transcript first."""

        def share(suspect: SuspectClip) -> float:
            return -len(suspect.gloss) / max(1, count_characters(suspect.item.text))

        return sorted((one for one in self.suspects if one.gloss), key=share)[:_MAX_GLOSS_ROWS]

    def reasons(self) -> Iterable[Problem]:
        """Why clips should be listened to, worst first."""
        return (reason for suspect in self.suspects for reason in suspect.reasons)


def count_reasons(problems: Iterable[Problem]) -> list[tuple[Text, int]]:
    """Short form and count of each reason, the most frequent first."""
    counts = Counter(problem.key.rsplit(".", 1)[1] for problem in problems)
    return [(text(f"engine.report.short_{reason}"), n) for reason, n in counts.most_common()]


FindUnread = Callable[[str, str], Sequence[tuple[str, int]]]  # text, language: letter, index


def make_report(
    checked: CheckedDataset, find_unread: FindUnread = find_foreign_letters
) -> DatasetQualityReport:
    """Compare the usable clips of a dataset with each other.

    `find_unread` names the letters of a transcript that have no sound: by default by their
    script, on a server by reading them.
    """
    manifest, measurements = checked.manifest, checked.measurements
    measured = [
        (item, measurements[item.name]) for item in manifest.items if item.name in measurements
    ]
    seconds = [fact.seconds for _, fact in measured]
    ordered = sorted(seconds)
    paces = _measure_paces(measured)
    usual_level = _known_median(fact.level_db for _, fact in measured)
    suspects = _find_suspects(checked, manifest.items, find_unread, paces, usual_level)
    return DatasetQualityReport(
        clips=len(manifest.items),
        seconds=sum(seconds),
        unmeasured=len(manifest.items) - len(measured),
        speaker_totals=_speaker_totals(manifest.items, measurements),
        histogram=tuple(
            (low, high, bisect_left(ordered, high) - bisect_left(ordered, low))
            for low, high in itertools.pairwise(HISTOGRAM_EDGES_S)
        ),
        level_db=usual_level,
        noise_db=_known_median(fact.noise_db for _, fact in measured),
        pace=_usual_paces(paces),
        suspects=suspects,
        problems=manifest.problems,
        notes=manifest.notes,
        pace_statistics=paces,
    )


def update_report(
    report: DatasetQualityReport,
    checked: CheckedDataset,
    before: DatasetItem,
    find_unread: FindUnread = find_foreign_letters,
) -> DatasetQualityReport:
    """Return what `make_report` says of `checked`, which is that of `report` but for one text.

    before: the item whose text it was. Only that clip is judged, and those whose pace may have
    become odd or usual by it: in a list of many thousands a fraction of the time.
    """
    places = {item.name: place for place, item in enumerate(checked.manifest.items)}
    item = checked.manifest.items[places[before.name]]
    paces = dict(report.pace_statistics)
    fact = checked.measurements.get(item.name)
    if fact is not None:
        kept = [pair for pair in paces[item.language].ordered if pair[1] != item.name]
        insort(kept, (count_characters(item.text) / fact.seconds, item.name))
        paces[item.language] = _summarise_paces(kept)
    again = {item.name, *(suspect.item.name for suspect in report.suspects)}
    for statistics in paces.values():
        again.update(statistics.doubtful_names())
    items = [checked.manifest.items[place] for place in sorted(places[name] for name in again)]
    suspects = _find_suspects(checked, items, find_unread, paces, report.level_db)
    return replace(report, pace=_usual_paces(paces), suspects=suspects, pace_statistics=paces)


def _find_suspects(
    checked: CheckedDataset,
    items: Iterable[DatasetItem],
    find_unread: FindUnread,
    paces: Mapping[str, _PaceStatistics],
    usual_level: float | None,
) -> tuple[SuspectClip, ...]:
    """Judge each of `items`, and return those with a reason, the worst first."""
    source, measurements = checked.manifest.source.name, checked.measurements
    suspects = []
    for item in items:
        unread = find_unread(item.text, item.language)
        reasons = _unread_reasons(source, item, unread)
        if item.name in measurements:
            fact = measurements[item.name]
            reasons += _find_suspicions(source, item, fact, paces, usual_level)
        if reasons:
            score = sum(score for score, _ in reasons)
            gloss = "".join(letter for letter, _ in unread)
            suspects.append(SuspectClip(item, score, tuple(why for _, why in reasons), gloss))
    return tuple(sorted(suspects, key=lambda suspect: -suspect.score))


@lru_cache(maxsize=1 << 16)  # a list is judged again at each corrected word
def count_characters(transcript: str) -> int:
    """Number of letters and digits, which are what takes time to speak."""
    return sum(letter.isalnum() for letter in transcript)


@dataclass(frozen=True)
class _PaceStatistics:
    median_pace: float  # characters a second
    spread: float  # of their logarithms, robust; 0 with too few clips to tell
    ordered: Sequence[tuple[float, str]] = ()  # pace and name of each clip, the slowest first

    @cached_property
    def _surely_usual(self) -> tuple[float, float]:
        """Paces between these are not odd, without a logarithm for each of many thousands."""
        factor = max(math.exp(_ODD_PACE_DEVIATION * self.spread), _MIN_PACE_RATIO)
        return self.median_pace / factor * 1.001, self.median_pace * factor * 0.999

    def is_odd(self, pace: float) -> bool:
        """Whether `pace` is far off, in deviations and in proportion."""
        low, high = self._surely_usual
        if low < pace < high:
            return False
        ratio = max(pace / self.median_pace, self.median_pace / pace)
        return abs(self.deviation(pace)) > _ODD_PACE_DEVIATION and ratio > _MIN_PACE_RATIO

    def doubtful_names(self) -> set[str]:
        """Return the clips whose pace may be odd."""
        low, high = self._surely_usual
        slow = itertools.takewhile(lambda pair: pair[0] <= low, self.ordered)
        fast = itertools.takewhile(lambda pair: pair[0] >= high, reversed(self.ordered))
        return {name for _, name in itertools.chain(slow, fast)}

    def deviation(self, pace: float) -> float:
        """How many usual deviations `pace` is off; negative is slow."""
        return math.log(pace / self.median_pace) / self.spread if self.spread else 0.0


def _measure_paces(
    measured: Sequence[tuple[DatasetItem, ClipMeasurement]],
) -> dict[str, _PaceStatistics]:
    by_language: dict[str, list[tuple[float, str]]] = {}
    for item, fact in measured:
        pace = count_characters(item.text) / fact.seconds
        by_language.setdefault(item.language, []).append((pace, item.name))
    return {language: _summarise_paces(sorted(pairs)) for language, pairs in by_language.items()}


def _summarise_paces(ordered: Sequence[tuple[float, str]]) -> _PaceStatistics:
    paces = [pace for pace, _ in ordered]
    usual = median(paces)
    deviation = median([abs(math.log(pace / usual)) for pace in paces])
    # 1.4826 makes the median deviation a standard one; a very even set still varies a bit.
    spread = max(1.4826 * deviation, 0.08) if len(paces) >= _MIN_CLIPS_FOR_PACE else 0.0
    return _PaceStatistics(usual, spread, ordered)


def _usual_paces(paces: Mapping[str, _PaceStatistics]) -> tuple[tuple[str, float], ...]:
    return tuple((language, pace.median_pace) for language, pace in sorted(paces.items()))


def _find_suspicions(
    source: str,
    item: DatasetItem,
    fact: ClipMeasurement,
    paces: Mapping[str, _PaceStatistics],
    usual_level: float | None,
) -> list[tuple[float, Problem]]:
    reasons: list[tuple[float, Problem]] = []
    pace = count_characters(item.text) / fact.seconds
    statistics = paces[item.language]
    if statistics.is_odd(pace):
        deviation = statistics.deviation(pace)
        # As far as this, some words are missing in the text or in the sound.
        key = (
            "engine.report.mismatch"
            if abs(deviation) > _MISMATCH_DEVIATION
            else "engine.report.odd_pace"
        )
        usual = round(statistics.median_pace, 1)
        facts = {"pace": round(pace, 1), "usual": usual, **_location(source, item)}
        reasons.append((abs(deviation), Problem(key, ExitCode.DATA, **facts)))
    if fact.clipped is not None and fact.clipped > _MAX_CLIPPED_FRACTION:
        percent = round(100 * fact.clipped, 2)
        problem = Problem(
            "engine.report.clipping", ExitCode.DATA, percent=percent, **_location(source, item)
        )
        reasons.append((3 + 100 * fact.clipped, problem))
    if fact.level_db is not None and fact.noise_db is not None:
        signal_to_noise = fact.level_db - fact.noise_db
        if signal_to_noise < _MIN_SIGNAL_TO_NOISE_DB:
            problem = Problem(
                "engine.report.noisy",
                ExitCode.DATA,
                db=round(signal_to_noise),
                **_location(source, item),
            )
            reasons.append((1 + (_MIN_SIGNAL_TO_NOISE_DB - signal_to_noise) / 5, problem))
        if usual_level is not None and abs(fact.level_db - usual_level) > _ODD_LEVEL_DB:
            level = round(fact.level_db - usual_level)
            problem = Problem(
                "engine.report.odd_level",
                ExitCode.DATA,
                db=f"{level:+d}",
                **_location(source, item),
            )
            reasons.append((1.0, problem))
    return reasons


def _location(source: str, item: DatasetItem) -> dict[str, Any]:
    return {"file": source, "line": item.line, "name": item.name}


def _unread_reasons(
    source: str, item: DatasetItem, unread: Sequence[tuple[str, int]]
) -> list[tuple[float, Problem]]:
    """The more of a transcript has no sound, the sooner a person should see it."""
    if not unread:
        return []
    named = ", ".join(f"{letter} ({index + 1})" for letter, index in unread[:_MAX_NAMED])
    problem = Problem(
        "engine.report.unread",
        ExitCode.DATA,
        **_location(source, item),
        count=len(unread),
        characters=named + (" …" if len(unread) > _MAX_NAMED else ""),
    )
    return [(2.0 + 10.0 * len(unread) / max(1, count_characters(item.text)), problem)]


def _speaker_totals(
    items: Sequence[DatasetItem], facts: dict[str, ClipMeasurement]
) -> tuple[tuple[str, str, int, float], ...]:
    groups: dict[tuple[str, str], list[float]] = {}
    for item in items:
        seconds = facts[item.name].seconds if item.name in facts else 0.0
        groups.setdefault((item.speaker, item.language), []).append(seconds)
    return tuple(
        (speaker, language, len(lengths), sum(lengths))
        for (speaker, language), lengths in sorted(groups.items())
    )


def _known_median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
