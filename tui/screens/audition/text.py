"""The texts of the Audition screen: rows of its tables, metrics, progress."""

from __future__ import annotations

from textual.content import Content
from textual.message_pump import MessagePump

from sovdeck.engine.contract.audition import AuditionCell, Standing
from sovdeck.engine.contract.format import UNKNOWN, format_percent
from sovdeck.tui.screens.speak.text import shorten
from sovdeck.tui.state.pair_grid import WeightPair, weight_label
from sovdeck.tui.state.speech_models import AuditionState
from sovdeck.tui.text.i18n import translate
from sovdeck.tui.widgets.diff_table import TableCell
from sovdeck.tui.widgets.progress_bar import progress_bar

KIND_TEXT_KEYS = {
    "cell": "tui.audition_screen.kind_cell",
    "truth": "tui.audition_screen.kind_truth",
    "base": "tui.audition_screen.kind_base",
    "saved": "tui.audition_screen.kind_saved",
}
METRIC_TEXT_KEYS = {
    "length_ratio": "tui.audition_screen.mark_length_ratio",
    "longest_silence_s": "tui.audition_screen.mark_longest_silence_s",
    "loudness_db": "tui.audition_screen.mark_loudness_db",
    "cer": "tui.audition_screen.mark_cer",
    "similarity": "tui.audition_screen.mark_similarity",
}
_METRIC_FORMATS = {
    "length_ratio": "×{:.2f}",
    "longest_silence_s": "{:.2f} s",
    "loudness_db": "{:.0f} dB",
}


def pair_name(pair: WeightPair) -> str:
    """`e15 × e16`, of a pair of weights."""
    return f"{weight_label(pair[0])} × {weight_label(pair[1])}"


def cell_row(node: MessagePump, cell: AuditionCell, playing: bool) -> dict[str, TableCell]:
    """The table row of one rendering."""
    colour = {"truth": "$success", "base": "$faint"}.get(cell.kind, "$foreground")
    kind = translate(node, KIND_TEXT_KEYS[cell.kind])
    if cell.kind == "cell" and cell.reference:
        kind += f" {cell.reference + 1}"
    return {
        "mark": Content.styled("♪" if playing else " ", "bold $secondary"),
        "kind": Content.styled(kind, colour),
        "seconds": f"{cell.seconds:.1f} s",
        "penalty": UNKNOWN if cell.kind == "truth" else f"{cell.penalty:.2f}",
        "cer": _format_metric(cell, "cer"),
        "similarity": _format_metric(cell, "similarity"),
        "text": Content(shorten(cell.text, 48)),
    }


def _format_metric(cell: AuditionCell, name: str) -> str:
    value = cell.metrics.get(name)
    if value is None:
        return UNKNOWN
    if name == "cer":
        return format_percent(float(value))
    return _METRIC_FORMATS.get(name, "{:.2f}").format(value)


def cell_detail(node: MessagePump, cell: AuditionCell) -> Content:
    """The whole sentence and the metrics of one rendering; unmeasured is a dash."""
    rows = [Content(cell.text)]
    metrics = []
    for name, key in METRIC_TEXT_KEYS.items():
        metrics.append(
            Content.assemble((f"{translate(node, key)} ", "$faint"), _format_metric(cell, name))
        )
    rows.append(Content("  ").join(metrics))
    attempts = cell.metrics.get("attempts")
    if attempts is not None and attempts > 1:
        again = translate(node, "tui.speak_screen.attempts", count=int(attempts))
        rows.append(Content.styled(f"▲ {again}", "$warning"))
    if cell.metrics.get("ended") is False:
        rows.append(Content.styled(f"▲ {translate(node, 'tui.speak_screen.ran_on')}", "$warning"))
    if cell.wav is not None:
        rows.append(
            Content.assemble((f"{translate(node, 'tui.voices.folder')} ", "$faint"), cell.wav)
        )
    return Content("\n").join(rows)


def standing_row(rank: int, standing: Standing, chosen: bool) -> dict[str, TableCell]:
    """The table row of one pair in the ranking."""
    mark = "◆" if chosen else ("★" if rank == 1 else " ")
    return {
        "mark": Content.styled(mark, "bold $warning"),
        "place": f"{rank}",
        "pair": Content.styled(
            pair_name((standing.gpt, standing.sovits)), "bold" if rank == 1 else ""
        ),
        "penalty": f"{standing.penalty:.2f}",
        "votes": f"{standing.won}:{standing.lost}" if standing.won or standing.lost else UNKNOWN,
    }


def progress_line(node: MessagePump, audition: AuditionState, width: int) -> Content:
    """How many renderings have arrived of a running audition; else how many there are."""
    done, total = len(audition.cells), audition.total
    if audition.running:
        share = None if total is None else done / max(1, total)
        of = UNKNOWN if total is None else str(total)
        text = translate(node, "tui.audition_screen.rendering", done=done, of=of)
        return Content.assemble(
            ("● ", "bold $secondary"),
            progress_bar(share, min(24, max(8, width // 5)), "$secondary"),
            f" {text}",
        )
    text = translate(node, "tui.audition_screen.rendered", count=done, votes=audition.votes)
    return Content.styled(text, "$faint")
