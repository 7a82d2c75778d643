"""The lines of a checked list as rows to proofread, the worst first. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engine.contract.dataset.items import Item
from engine.contract.problem import Problem
from tui.state.facts import Level
from tui.state.work import DatasetReport


@dataclass(frozen=True)
class ClipRow:
    """One line, `source` as read. Level bad: left out; warning: listen to it; `wav` may lack."""

    line: int
    source: str
    level: Level
    reasons: tuple[Problem, ...] = ()
    name: str = ""
    wav: Path | None = None
    language: str = ""
    text: str = ""
    seconds: float | None = None

    @property
    def whole(self) -> bool:
        """The whole line must be mended: it could not be read as a clip."""
        return not self.text


def clip_rows(report: DatasetReport) -> tuple[ClipRow, ...]:
    """Faults in file order, then suspects by score, then what has a remark, then the rest."""
    items = {item.line: item for item in report.checked.manifest.items}
    rows = [_fault_row(report, problem) for problem in report.worth.problems]
    seen = {row.line for row in rows}
    suspects = [(suspect.item.line, suspect.reasons) for suspect in report.worth.suspects]
    remarks = _by_line(report.worth.notes)
    for line, reasons in suspects:
        whole = (*reasons, *remarks.pop(line, ()))
        rows.append(_row(report, items[line], "warning", whole))
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


def _fault_row(report: DatasetReport, problem: Problem) -> ClipRow:
    line = int(str(problem.facts["line"]))
    dropped = report.dropped.get(line)
    if dropped is not None:
        return _row(report, dropped, "bad", (problem,))
    return ClipRow(line, report.lines.get(line, ""), "bad", (problem,))


def _row(report: DatasetReport, item: Item, level: Level, reasons: tuple[Problem, ...]) -> ClipRow:
    facts = report.checked.facts.get(item.name)
    return ClipRow(
        item.line, report.lines.get(item.line, ""), level, reasons, item.name, item.wav,
        item.language, item.text, facts.seconds if facts else None,
    )  # fmt: skip
