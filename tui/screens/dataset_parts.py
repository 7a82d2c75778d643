"""The texts of the Dataset room: its verdict, what the data is worth, and one clip's reasons."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.message_pump import MessagePump

from engine.contract.dataset.report import Report, tally
from engine.contract.problem import Problem
from tui.figures import duration, size
from tui.language import say, tell
from tui.state.clips import ClipRow
from tui.state.state import State
from tui.state.work import DatasetReport
from tui.widgets.states import level_mark

# Clips of these lengths teach best; next to them still well.
_BEST, _WELL = (3.0, 10.0), (2.0, 15.0)
_BAR = "▏▎▍▌▋▊▉█"


def summary(node: MessagePump, state: State) -> Content:
    """One or two lines: what stands in the folder, and the verdict."""
    if state.checking is not None:
        words = "tui.dataset.checking_done" if state.checking.done else "tui.dataset.checking"
        facts = {"folder": state.checking.folder, "done": state.checking.done}
        return Content.styled(say(node, words, **facts), "$secondary")
    if state.dataset_refused is not None:
        why = state.dataset_refused
        return Content.assemble(
            (tell(node, why.text), "bold $error"), (f" {tell(node, why.hint)}", "$faint")
        )
    report = state.dataset
    if report is None:
        return Content("")
    worth = report.worth
    facts_line = say(
        node, "tui.dataset.facts", clips=worth.clips, time=duration(worth.seconds),
        size=size(report.bytes),
    )  # fmt: skip
    parts = [Content.styled(report.voice, "bold $primary"), Content(f"  {facts_line}")]
    if report.edits:
        done = say(node, "tui.dataset.corrected", count=len(report.edits))
        parts.append(Content.styled(f"  ·  {done}", "$success"))
    return Content.assemble(*parts, "\n", _verdict(node, report))


def _verdict(node: MessagePump, report: DatasetReport) -> Content:
    out, listen = len(report.worth.problems), len(report.worth.suspects)
    if not out and not listen:
        return Content.styled(say(node, "tui.dataset.good"), "bold $success")
    words = say(node, "tui.dataset.verdict", out=out, listen=listen)
    colour = "bold $error" if out else "bold $warning"
    return Content.assemble((words, colour), (f" {say(node, 'tui.dataset.proofread')}", "$faint"))


def worth_lines(node: MessagePump, report: Report, width: int) -> Content:
    """Minutes, lengths, loudness, noise, pace, and every reason with its count."""
    lines = [
        *_head(node, "tui.dataset.speech", _speech(node, report, width)),
        *_head(node, "tui.dataset.length", _lengths(report, width)),
        *_head(node, "tui.dataset.sound", _levels(node, report)),
        *_head(node, "tui.dataset.pace", _paces(report)),
        *_head(node, "tui.dataset.left_out", _tallied(node, report.problems, "bad")),
        *_head(node, "tui.dataset.listen", _tallied(node, list(report.reasons()), "warning")),
        *_head(node, "tui.dataset.remarks", _tallied(node, report.notes, "note")),
    ]
    if report.unmeasured:
        words = say(node, "tui.dataset.unmeasured", count=report.unmeasured)
        lines.append(Content.styled(words, "$warning"))
    return Content("\n").join(lines)


def _head(node: MessagePump, words: str, lines: Iterator[Content]) -> Iterator[Content]:
    """`lines` under their heading; nothing at all when there are none."""
    for number, line in enumerate(lines):
        if number == 0:
            yield Content.styled(say(node, words), "bold $secondary")
        yield line


def _speech(node: MessagePump, report: Report, width: int) -> Iterator[Content]:
    for speaker, language, clips, seconds in report.spoken:
        minutes = say(node, "tui.dataset.minutes", minutes=f"{seconds / 60:.1f}")
        name = set_cell_size(f"  {speaker or '-'}", max(8, min(16, width - 24)))
        yield Content.assemble(f"{name} {language:<4}", (f"{minutes:>9}", "bold"), f" {clips:>6}")


def _lengths(report: Report, width: int) -> Iterator[Content]:
    """The histogram from the first to the last length that occurs."""
    counts = [count for *_, count in report.histogram]
    filled = [i for i, count in enumerate(counts) if count]
    if not filled:
        return
    room = max(4, width - 21)
    for low, high, count in report.histogram[filled[0] : filled[-1] + 1]:
        colour = "$warning"
        if low >= _WELL[0] and high <= _WELL[1]:
            colour = "$success" if low >= _BEST[0] and high <= _BEST[1] else "$secondary"
        eighths = math.ceil(count / max(counts) * room * 8)
        bar = "█" * (eighths // 8) + (_BAR[eighths % 8 - 1] if eighths % 8 else "")
        span = f"{low:g}–{high:g} s"
        yield Content.assemble((f"  {span:>8} ", "$faint"), (f"{count:>6} "), (bar, colour))


def _levels(node: MessagePump, report: Report) -> Iterator[Content]:
    if report.level_db is not None and report.noise_db is not None:
        loudness, pauses = say(node, "tui.dataset.loudness"), say(node, "tui.dataset.pauses")
        yield Content.assemble(
            (f"  {loudness} ", "$faint"), f"{report.level_db:.0f} dB   ",
            (f"{pauses} ", "$faint"), f"{report.noise_db:.0f} dB",
        )  # fmt: skip


def _paces(report: Report) -> Iterator[Content]:
    if report.pace:
        parts = [
            Content.assemble((f"  {language} ", "$faint"), f"{pace:.1f}")
            for language, pace in report.pace
        ]
        yield Content("").join(parts)


def _tallied(node: MessagePump, problems: Sequence[Problem], level: str) -> Iterator[Content]:
    for short, count in tally(problems):
        yield Content.assemble("  ", level_mark(level), f" {count:>4}  {tell(node, short)}")


def clip_title(node: MessagePump, row: ClipRow) -> str:
    parts = [row.name, say(node, "tui.dataset.line", line=row.line)]
    if row.seconds is not None:
        parts.append(f"{row.seconds:.1f} s")
    return " · ".join(part for part in parts if part)


def clip_reasons(node: MessagePump, row: ClipRow) -> Content:
    """Why the row stands where it stands, and what to do."""
    if not row.reasons:
        return Content.styled(say(node, "tui.dataset.nothing_odd"), "$faint")
    lines = [
        Content.assemble(
            level_mark(row.level), f" {_bare(tell(node, reason.message))}",
            (f" {tell(node, reason.hint)}", "$faint"),
        )
        for reason in row.reasons
    ]  # fmt: skip
    return Content("\n").join(lines)


def _bare(sentence: str) -> str:
    """Without the file and line that the box's title already tells."""
    for mark in (": ", "："):
        head, found, rest = sentence.partition(mark)
        if found and cell_len(rest) > 0 and ".list" in head:
            return rest[:1].upper() + rest[1:]
    return sentence
