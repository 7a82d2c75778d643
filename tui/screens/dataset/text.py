"""The texts of the Dataset screen: its summary, the quality report, one clip's problems."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.message_pump import MessagePump

from sovdeck.engine.contract.dataset.report import DatasetQualityReport, count_reasons
from sovdeck.engine.contract.format import format_bytes, format_duration
from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.state.clip_rows import ClipRow
from sovdeck.tui.state.models import DatasetReport, TranscriptionRow
from sovdeck.tui.state.state import State
from sovdeck.tui.text.i18n import translate, translate_text
from sovdeck.tui.text.param_values import language_text
from sovdeck.tui.widgets.status_labels import level_mark

# Lengths in seconds that train best, and those that still train well.
_BEST_SECONDS, _GOOD_SECONDS = (3.0, 10.0), (2.0, 15.0)
_BAR_EIGHTHS = "▏▎▍▌▋▊▉█"


def summary_text(node: MessagePump, state: State) -> Content:
    """One or two lines: what the folder holds, and how many clips have problems."""
    if state.transcription is not None:
        return _transcription_line(node, state.transcription)
    if state.checking is not None:
        key = "tui.dataset.checking_done" if state.checking.done else "tui.dataset.checking"
        facts = {"folder": state.checking.folder, "done": state.checking.done}
        return Content.styled(translate(node, key, **facts), "$secondary")
    if state.dataset_error is not None:
        why = state.dataset_error.why
        offer = "tui.dataset.convert_key" if state.dataset_error.convertible else ""
        hint = translate(node, offer) if offer else translate_text(node, why.hint)
        return Content.assemble(
            (translate_text(node, why.text), "bold $error"), (f" {hint}", "$faint")
        )
    if state.bare_recordings is not None:
        found = state.bare_recordings
        facts = {"count": found.count, "size": format_bytes(found.bytes)}
        return Content.assemble(
            (translate(node, "tui.dataset.bare", **facts), "bold $primary"),
            (f"\n{translate(node, 'tui.dataset.bare_key')}", "$secondary"),
        )
    report = state.dataset
    if report is None:
        return Content("")
    worth = report.quality
    facts_line = translate(
        node,
        "tui.dataset.facts",
        clips=worth.clips,
        time=format_duration(worth.seconds),
        size=format_bytes(report.bytes),
    )
    parts = [Content.styled(report.voice, "bold $primary"), Content(f"  {facts_line}")]
    if report.edits:
        done = translate(node, "tui.dataset.corrected", count=len(report.edits))
        parts.append(Content.styled(f"  ·  {done}", "$success"))
    return Content.assemble(*parts, "\n", _problems_line(node, report))


def _transcription_line(node: MessagePump, row: TranscriptionRow) -> Content:
    """How far a server is with writing recordings down."""
    if row.phase == "model":
        have, total = format_bytes(row.have), format_bytes(row.total)
        text = translate(
            node, "tui.dataset.fetching_model", server=row.server, have=have, total=total
        )
    else:
        key = f"tui.dataset.phase_{row.phase}"
        facts = {"done": row.done, "all": row.recordings, "clips": row.clips}
        text = translate(node, key, server=row.server, **facts)
    return Content.assemble((text, "$secondary"), (f"\n{row.text}", "$faint"))


def _problems_line(node: MessagePump, report: DatasetReport) -> Content:
    left_out, listen = len(report.quality.problems), len(report.quality.suspects)
    if not left_out and not listen:
        return Content.styled(translate(node, "tui.dataset.good"), "bold $success")
    text = translate(node, "tui.dataset.problem_counts", out=left_out, listen=listen)
    colour = "bold $error" if left_out else "bold $warning"
    return Content.assemble(
        (text, colour), (f" {translate(node, 'tui.dataset.proofread')}", "$faint")
    )


def report_text(node: MessagePump, report: DatasetQualityReport, width: int) -> Content:
    """Minutes, lengths, loudness, noise, pace, and every problem with its count."""
    lines = [
        *_section(node, "tui.dataset.speech", _speech_lines(node, report, width)),
        *_section(node, "tui.dataset.length", _histogram_lines(report, width)),
        *_section(node, "tui.dataset.sound", _loudness_lines(node, report)),
        *_section(node, "tui.dataset.pace", _pace_lines(node, report)),
        *_section(node, "tui.dataset.left_out", _count_lines(node, report.problems, "bad")),
        *_section(
            node, "tui.dataset.listen", _count_lines(node, list(report.reasons()), "warning")
        ),
        *_section(node, "tui.dataset.remarks", _count_lines(node, report.notes, "note")),
    ]
    if report.unmeasured:
        text = translate(node, "tui.dataset.unmeasured", count=report.unmeasured)
        lines.append(Content.styled(text, "$warning"))
    return Content("\n").join(lines)


def _section(node: MessagePump, title_key: str, lines: Iterator[Content]) -> Iterator[Content]:
    """`lines` under their heading; nothing at all when there are none."""
    for number, line in enumerate(lines):
        if number == 0:
            yield Content.styled(translate(node, title_key), "bold $secondary")
        yield line


def _speech_lines(node: MessagePump, report: DatasetQualityReport, width: int) -> Iterator[Content]:
    for speaker, language, clips, seconds in report.speaker_totals:
        minutes = translate(node, "tui.dataset.minutes", minutes=f"{seconds / 60:.1f}")
        name = set_cell_size(f"  {speaker or '-'}", max(8, min(16, width - 24)))
        spoken = set_cell_size(language_text(node, language), 4)
        yield Content.assemble(f"{name} {spoken}", (f"{minutes:>9}", "bold"), f" {clips:>6}")


def _histogram_lines(report: DatasetQualityReport, width: int) -> Iterator[Content]:
    """The histogram of clip lengths, from the first to the last bin that is not empty."""
    counts = [count for *_, count in report.histogram]
    filled = [i for i, count in enumerate(counts) if count]
    if not filled:
        return
    bar_width = max(4, width - 21)
    for low, high, count in report.histogram[filled[0] : filled[-1] + 1]:
        colour = "$warning"
        if low >= _GOOD_SECONDS[0] and high <= _GOOD_SECONDS[1]:
            colour = (
                "$success" if low >= _BEST_SECONDS[0] and high <= _BEST_SECONDS[1] else "$secondary"
            )
        eighths = math.ceil(count / max(counts) * bar_width * 8)
        bar = "█" * (eighths // 8) + (_BAR_EIGHTHS[eighths % 8 - 1] if eighths % 8 else "")
        span = f"{low:g}–{high:g} s"
        yield Content.assemble((f"  {span:>8} ", "$faint"), (f"{count:>6} "), (bar, colour))


def _loudness_lines(node: MessagePump, report: DatasetQualityReport) -> Iterator[Content]:
    if report.level_db is not None and report.noise_db is not None:
        loudness, pauses = (
            translate(node, "tui.dataset.loudness"),
            translate(node, "tui.dataset.pauses"),
        )
        yield Content.assemble(
            (f"  {loudness} ", "$faint"),
            f"{report.level_db:.0f} dB   ",
            (f"{pauses} ", "$faint"),
            f"{report.noise_db:.0f} dB",
        )


def _pace_lines(node: MessagePump, report: DatasetQualityReport) -> Iterator[Content]:
    if report.pace:
        parts = [
            Content.assemble((f"  {language_text(node, language)} ", "$faint"), f"{pace:.1f}")
            for language, pace in report.pace
        ]
        yield Content("").join(parts)


def _count_lines(node: MessagePump, problems: Sequence[Problem], level: str) -> Iterator[Content]:
    for short, count in count_reasons(problems):
        yield Content.assemble(
            "  ", level_mark(level), f" {count:>4}  {translate_text(node, short)}"
        )


def clip_title(node: MessagePump, row: ClipRow) -> str:
    """File name, line number and length of one clip."""
    parts = [row.name, translate(node, "tui.dataset.line", line=row.line)]
    if row.seconds is not None:
        parts.append(f"{row.seconds:.1f} s")
    return " · ".join(part for part in parts if part)


def clip_reasons(node: MessagePump, row: ClipRow) -> Content:
    """Why the clip has its rank, and what to do."""
    if not row.reasons:
        return Content.styled(translate(node, "tui.dataset.nothing_odd"), "$faint")
    lines = [
        Content.assemble(
            level_mark(row.level),
            f" {_strip_location(translate_text(node, reason.message))}",
            (f" {translate_text(node, reason.hint)}", "$faint"),
        )
        for reason in row.reasons
    ]
    return Content("\n").join(lines)


def _strip_location(sentence: str) -> str:
    """The sentence without file and line, which the title of the box shows already."""
    for mark in (": ", "："):
        head, found, rest = sentence.partition(mark)
        if found and cell_len(rest) > 0 and ".list" in head:
            return rest[:1].upper() + rest[1:]
    return sentence
