"""The texts of the Audition room: rows of its tables, marks of a rendering, the progress."""

from __future__ import annotations

from textual.content import Content
from textual.message_pump import MessagePump

from engine.contract.audition import AuditionCell, Standing
from tui.figures import NONE, bar, percent
from tui.language import say
from tui.screens.speak_parts import short
from tui.state.pair_grid import Pair, label
from tui.state.speech import Audition
from tui.widgets.fact_table import Cell

KIND_WORDS = {
    "cell": "tui.compare.kind_cell",
    "truth": "tui.compare.kind_truth",
    "base": "tui.compare.kind_base",
    "saved": "tui.compare.kind_saved",
}
MARK_WORDS = {
    "length_ratio": "tui.compare.mark_length_ratio",
    "longest_silence_s": "tui.compare.mark_longest_silence_s",
    "loudness_db": "tui.compare.mark_loudness_db",
    "cer": "tui.compare.mark_cer",
    "similarity": "tui.compare.mark_similarity",
}
_UNITS = {"length_ratio": "×{:.2f}", "longest_silence_s": "{:.2f} s", "loudness_db": "{:.0f} dB"}


def pair_label(pair: Pair) -> str:
    return f"{label(pair[0])} × {label(pair[1])}"


def cell_row(node: MessagePump, cell: AuditionCell, sounding: bool) -> dict[str, Cell]:
    colour = {"truth": "$success", "base": "$faint"}.get(cell.kind, "$foreground")
    kind = say(node, KIND_WORDS[cell.kind])
    if cell.kind == "cell" and cell.reference:
        kind += f" {cell.reference + 1}"
    return {
        "mark": Content.styled("♪" if sounding else " ", "bold $secondary"),
        "kind": Content.styled(kind, colour),
        "seconds": f"{cell.seconds:.1f} s",
        "penalty": NONE if cell.kind == "truth" else f"{cell.penalty:.2f}",
        "cer": _mark(cell, "cer"),
        "similarity": _mark(cell, "similarity"),
        "text": Content(short(cell.text, 48)),
    }


def _mark(cell: AuditionCell, name: str) -> str:
    value = cell.marks.get(name)
    if value is None:
        return NONE
    if name == "cer":
        return percent(float(value))
    return _UNITS.get(name, "{:.2f}").format(value)


def cell_detail(node: MessagePump, cell: AuditionCell) -> Content:
    """The whole sentence and what was measured of this rendering; no mark is no zero."""
    rows = [Content(cell.text)]
    figures = []
    for name, words in MARK_WORDS.items():
        figures.append(Content.assemble((f"{say(node, words)} ", "$faint"), _mark(cell, name)))
    rows.append(Content("  ").join(figures))
    attempts = cell.marks.get("attempts")
    if attempts is not None and attempts > 1:
        again = say(node, "tui.talk.attempts", count=int(attempts))
        rows.append(Content.styled(f"▲ {again}", "$warning"))
    if cell.marks.get("ended") is False:
        rows.append(Content.styled(f"▲ {say(node, 'tui.talk.ran_on')}", "$warning"))
    if cell.wav is not None:
        rows.append(Content.assemble((f"{say(node, 'tui.voices.folder')} ", "$faint"), cell.wav))
    return Content("\n").join(rows)


def standing_row(place: int, one: Standing, chosen: bool) -> dict[str, Cell]:
    mark = "◆" if chosen else ("★" if place == 1 else " ")
    return {
        "mark": Content.styled(mark, "bold $warning"),
        "place": f"{place}",
        "pair": Content.styled(pair_label((one.gpt, one.sovits)), "bold" if place == 1 else ""),
        "penalty": f"{one.penalty:.2f}",
        "votes": f"{one.won}:{one.lost}" if one.won or one.lost else NONE,
    }


def progress(node: MessagePump, audition: Audition, width: int) -> Content:
    """How many renderings are here while a grid is rendered; else what there is."""
    done, total = len(audition.cells), audition.total
    if audition.running:
        share = None if total is None else done / max(1, total)
        of = NONE if total is None else str(total)
        words = say(node, "tui.compare.rendering", done=done, of=of)
        return Content.assemble(
            ("● ", "bold $secondary"), bar(share, min(24, max(8, width // 5)), "$secondary"),
            f" {words}",
        )  # fmt: skip
    words = say(node, "tui.compare.rendered", count=done, votes=audition.votes)
    return Content.styled(words, "$faint")
