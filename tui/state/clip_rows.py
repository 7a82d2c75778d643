"""The lines of a checked list as rows to proofread, the worst first. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from sovdeck.engine.contract.dataset.items import DatasetItem
from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.state.models import DatasetReport
from sovdeck.tui.state.server_models import Level


@dataclass(frozen=True)
class ClipRow:
    """One line of the list, `source` as read.

    `level` bad: left out; warning: listen to it. `wav` may be missing. `gloss` is the letters of
    its text that have no sound.
    """

    line: int
    source: str
    level: Level
    reasons: tuple[Problem, ...] = ()
    name: str = ""
    wav: Path | None = None
    language: str = ""
    text: str = ""
    seconds: float | None = None
    gloss: str = ""

    @property
    def unreadable(self) -> bool:
        """Whether the line could not be read as a clip, so that all of it must be corrected."""
        return not self.text


def clip_rows(report: DatasetReport) -> tuple[ClipRow, ...]:
    """Problems in file order, then suspects by score, then lines with a note, then the rest."""
    items = {item.line: item for item in report.checked.manifest.items}
    rows = [_problem_row(report, problem) for problem in report.quality.problems]
    seen = {row.line for row in rows}
    suspects = [
        (suspect.item.line, suspect.reasons, suspect.gloss) for suspect in report.quality.suspects
    ]
    remarks = _by_line(report.quality.notes)
    for line, reasons, gloss in suspects:
        all_reasons = (*reasons, *remarks.pop(line, ()))
        rows.append(replace(_row(report, items[line], "warning", all_reasons), gloss=gloss))
        seen.add(line)
    for line, reasons in remarks.items():
        if line in items:
            rows.append(_row(report, items[line], "note", reasons))
            seen.add(line)
    rows += [_row(report, item, "good", ()) for item in items.values() if item.line not in seen]
    return tuple(rows)


def _by_line(problems: Iterable[Problem]) -> dict[int, tuple[Problem, ...]]:
    found: dict[int, tuple[Problem, ...]] = {}
    for problem in problems:
        line = int(str(problem.facts["line"]))
        found[line] = (*found.get(line, ()), problem)
    return found


def _problem_row(report: DatasetReport, problem: Problem) -> ClipRow:
    line = int(str(problem.facts["line"]))
    dropped = report.dropped.get(line)
    if dropped is not None:
        return _row(report, dropped, "bad", (problem,))
    return ClipRow(line, report.lines.get(line, ""), "bad", (problem,))


def _row(
    report: DatasetReport, item: DatasetItem, level: Level, reasons: tuple[Problem, ...]
) -> ClipRow:
    facts = report.checked.measurements.get(item.name)
    return ClipRow(
        item.line,
        report.lines.get(item.line, ""),
        level,
        reasons,
        item.name,
        item.wav,
        item.language,
        item.text,
        facts.seconds if facts else None,
    )
