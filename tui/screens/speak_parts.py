"""The texts of the Speak room: rows of its tables, a take's sentences, the take at work."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.message_pump import MessagePump

from engine.contract.params import PARAMS
from tui.figures import NONE, bar, size
from tui.language import say, tell
from tui.state.outline import fits
from tui.state.pair_grid import label
from tui.state.speech import ReferenceClip, SpeakDraft, Take, Weight
from tui.widgets.fact_table import Cell
from tui.widgets.states import level_mark

_TAKE_LOOK = {
    "waiting": ("◌", "$secondary"), "speaking": ("●", "$secondary"), "done": ("✓", "$success"),
    "failed": ("✗", "$error"), "cancelled": ("■", "$faint"),
}  # fmt: skip
# What a draft holds that is no setting of the voice.
_MATTER = ("text", "gpt_weight", "sovits_weight", "ref_audio", "ref_text", "ref_lang", "text_lang")


def short(words: str, width: int) -> str:
    """`words` on one line of at most `width` cells."""
    line = " ".join(words.split())
    return (
        line if cell_len(line) <= width else set_cell_size(line, max(0, width - 1)).rstrip() + "…"
    )


def pair_name(params: Mapping[str, Any]) -> str:
    """e15 × e16, from the two weights of a draft."""
    names = [str(params.get(f"{kind}_weight", "")) for kind in ("gpt", "sovits")]
    return " × ".join(label(name) if name else NONE for name in names)


def differences(draft: SpeakDraft) -> list[str]:
    """What was set otherwise than the table's default, as `speed 1.2`."""
    found = []
    for name, value in draft.params.items():
        if name in _MATTER:
            continue
        if isinstance(value, bool):
            shown = "on" if value else "off"
        elif isinstance(value, (list, tuple)):
            shown = str(len(value))
        else:
            shown = f"{value:g}" if isinstance(value, float) else str(value)
        found.append(f"{name} {shown}")
    return found


def weight_cells(node: MessagePump, weight: Weight, chosen: bool) -> dict[str, Cell]:
    mark = Content.styled("▸", "bold $primary") if chosen else Content(" ")
    if weight.epoch is None:
        name = Content(label(weight.name))
    else:
        name = Content(say(node, "tui.voices.epoch", epoch=weight.epoch))
    return {
        "mark": mark,
        "epoch": name.stylize("bold") if chosen else name,
        "size": Content.styled(size(weight.bytes or None), "$faint"),
    }


def reference_cells(
    clip: ReferenceClip, chosen: bool, extra: bool, sounding: bool
) -> dict[str, Cell]:
    if sounding:
        mark = Content.styled("♪", "bold $secondary")
    elif chosen:
        mark = Content.styled("▸", "bold $primary")
    else:
        mark = Content.styled("+" if extra else " ", "bold $secondary")
    seconds = Content(f"{clip.seconds:.1f} s")
    if not fits(clip.seconds):
        seconds = Content.assemble(seconds, (" ▲", "bold $warning"))
    return {
        "mark": mark,
        "score": NONE if clip.score is None else f"{clip.score:.2f}",
        "seconds": seconds,
        "language": clip.language or NONE,
        "text": Content(short(clip.text or Path(clip.path).name, 60)),
    }


def take_cells(take: Take, sounding: bool) -> dict[str, Cell]:
    mark, colour = _TAKE_LOOK[take.state]
    if sounding:
        mark, colour = "♪", "$secondary"
    params = take.draft.params
    words = Content(short(str(params.get("text", "")), 40))
    others = differences(take.draft)
    if others:
        words = Content.assemble((f"{' · '.join(others)}  ", "$warning"), words)
    return {
        "mark": Content.styled(mark, f"bold {colour}"),
        "pair": pair_name(params),
        "seconds": NONE if take.seconds is None else f"{take.seconds:.1f} s",
        "seed": NONE if take.seed is None else str(take.seed),
        "text": words,
    }


def take_detail(node: MessagePump, take: Take) -> Content:
    """Why it failed, its sentences with their length, and where its file lies."""
    rows = []
    if take.why is not None:
        rows.append(
            Content.assemble(
                level_mark(take.why.level), (f" {tell(node, take.why.text)}", "$error"),
                (f" {tell(node, take.why.hint)}", "$faint"),
            )
        )  # fmt: skip
    for piece in take.pieces:
        line = Content.assemble((f"{piece.seconds:5.1f} s  ", "$secondary"), piece.text)
        if not piece.ended:
            line = Content.assemble(line, (f"  ▲ {say(node, 'tui.talk.ran_on')}", "$warning"))
        if piece.reused:
            line = Content.assemble(line, (f"  {say(node, 'tui.talk.reused')}", "$faint"))
        if piece.attempts > 1:
            again = say(node, "tui.talk.attempts", count=piece.attempts)
            line = Content.assemble(line, (f"  {again}", "$warning"))
        rows.append(line)
    if take.first_audio_s is not None:
        first = say(node, "tui.talk.first_audio", seconds=f"{take.first_audio_s:.1f}")
        rows.append(Content.styled(first, "$faint"))
    if take.wav is not None:
        rows.append(Content.assemble((f"{say(node, 'tui.voices.folder')} ", "$faint"), take.wav))
    return Content("\n").join(rows)


def now_line(node: MessagePump, take: Take, width: int) -> Content:
    """The take at work: how much of its text is spoken, and how soon the first sound came."""
    whole = max(1, len(str(take.draft.params.get("text", ""))))
    spoken = sum(len(piece.text) for piece in take.pieces)
    words = say(node, "tui.talk.once_listed" if take.unlisted else "tui.talk.loading")
    if take.pieces:
        words = say(node, "tui.talk.speaking", count=len(take.pieces))
    elif take.state == "speaking":
        words = say(node, "tui.talk.first")
    parts = [
        Content.styled("● ", "bold $secondary"), bar(min(1.0, spoken / whole), 16, "$secondary"),
        Content(f" {words}"),
    ]  # fmt: skip
    if take.first_audio_s is not None:
        first = say(node, "tui.talk.first_audio", seconds=f"{take.first_audio_s:.1f}")
        parts.append(Content.styled(f"  {first}", "$faint"))
    line = Content("").join(parts)
    if take.pieces:
        room = width - line.cell_length - 2
        line = Content.assemble(line, f"  {short(take.pieces[-1].text, room)}" if room > 8 else "")
    return line


def clip_help(node: MessagePump, clip: ReferenceClip) -> Content:
    """What the chosen clip says, and what is done about its length."""
    rows = [Content(clip.text or say(node, "tui.talk.no_words"))]
    rows.append(Content.styled(clip.path, "$faint"))
    if clip.window is not None:
        start, end = clip.window
        facts = {"start": f"{start:.1f}", "end": f"{end:.1f}"}
        rows.append(Content.styled(say(node, "tui.talk.cut", **facts), "$warning"))
    elif not fits(clip.seconds):
        rows.append(Content.styled(say(node, "tui.talk.bad_length"), "$error"))
    advice = PARAMS["infer.ref_audio"]
    rows.append(Content.styled(say(node, "tui.talk.clip_keys"), "$foreground"))
    rows.append(Content.styled(tell(node, advice.recommended), "$secondary"))
    return Content("\n").join(rows)
