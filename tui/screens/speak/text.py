"""The texts of the Speak screen: rows of its tables, a take's sentences, the active take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.message_pump import MessagePump

from sovdeck.engine.contract.dataset.foreign_scripts import find_foreign_letters
from sovdeck.engine.contract.format import UNKNOWN, format_bytes
from sovdeck.engine.contract.layout import VERSIONS, is_voice_name
from sovdeck.engine.contract.params import PARAMS
from sovdeck.engine.contract.reference_segment import is_reference_length
from sovdeck.engine.contract.voice_assets import ReferenceClip, WeightFile
from sovdeck.tui.state.pair_grid import weight_label
from sovdeck.tui.state.speech_models import SpeakDraft, TakeRow
from sovdeck.tui.text.i18n import translate, translate_text
from sovdeck.tui.text.param_values import language_text, value_text
from sovdeck.tui.widgets.diff_table import TableCell
from sovdeck.tui.widgets.progress_bar import progress_bar
from sovdeck.tui.widgets.status_labels import level_mark

_TAKE_STYLES = {
    "waiting": ("◌", "$secondary"),
    "speaking": ("●", "$secondary"),
    "done": ("✓", "$success"),
    "failed": ("✗", "$error"),
    "cancelled": ("■", "$faint"),
}
# Parameters of a draft that are content, no settings.
_CONTENT_PARAMS = (
    "text",
    "gpt_weight",
    "sovits_weight",
    "ref_audio",
    "ref_text",
    "ref_lang",
    "text_lang",
)


_MAX_UNREAD = 8  # letters without sound that the line under the text names


def summarise_text(node: MessagePump, text: str, language: str) -> str:
    """Say how long a text is, and which of its letters the language cannot read."""
    summary = translate(node, "tui.speak_screen.characters", count=len(text))
    foreign = find_foreign_letters(text, language)
    if not foreign:
        return summary
    named = "".join(dict.fromkeys(letter for letter, _ in foreign))[:_MAX_UNREAD]
    unread = translate(node, "tui.speak_screen.unread", count=len(foreign), characters=named)
    return f"{summary} · {unread}"


def reference_name_error(
    node: MessagePump, name: str, clip: ReferenceClip, clips: Sequence[ReferenceClip]
) -> str:
    """What is wrong with `name` for a clip among the clips of its voice; "" for nothing."""
    if not is_voice_name(name):
        return translate(node, "tui.speak_screen.bad_name")
    if any(one.name.casefold() == name.casefold() and one != clip for one in clips):
        return translate(node, "tui.speak_screen.name_taken")
    return ""


def shorten(text: str, width: int) -> str:
    """The text on one line of at most `width` cells."""
    line = " ".join(text.split())
    return (
        line if cell_len(line) <= width else set_cell_size(line, max(0, width - 1)).rstrip() + "…"
    )


def draft_pair_name(params: Mapping[str, Any]) -> str:
    """`e15 × e16`, from the two weights of a draft."""
    names = [str(params.get(f"{kind}_weight", "")) for kind in ("gpt", "sovits")]
    return " × ".join(weight_label(name) if name else UNKNOWN for name in names)


def changed_settings(node: MessagePump, draft: SpeakDraft) -> list[str]:
    """Settings that differ from their default, as `Speech rate 1.2`."""
    found = []
    for name, value in draft.params.items():
        if name in _CONTENT_PARAMS:
            continue
        param = PARAMS[f"infer.{name}"]
        count = str(len(value)) if isinstance(value, (list, tuple)) else ""
        shown = count or value_text(node, param, value)
        found.append(f"{translate_text(node, param.title)} {shown}")
    return found


def weight_cells(node: MessagePump, weight: WeightFile, chosen: bool) -> dict[str, TableCell]:
    """The table row of one weight file."""
    mark = Content.styled("▸", "bold $primary") if chosen else Content(" ")
    if weight.epoch is None:
        name = Content(weight_label(weight.name))
    else:
        name = Content(translate(node, "tui.voices.epoch", epoch=weight.epoch))
        if weight.version != VERSIONS[0]:
            name = Content.assemble(weight.version, " ", name)
    return {
        "mark": mark,
        "epoch": name.stylize("bold") if chosen else name,
        "size": Content.styled(format_bytes(weight.bytes or None), "$faint"),
    }


def reference_cells(
    node: MessagePump, clip: ReferenceClip, chosen: bool, extra: bool, playing: bool
) -> dict[str, TableCell]:
    """The table row of one reference clip."""
    if playing:
        mark = Content.styled("♪", "bold $secondary")
    elif chosen:
        mark = Content.styled("▸", "bold $primary")
    else:
        mark = Content.styled("+" if extra else " ", "bold $secondary")
    seconds = Content(f"{clip.seconds:.1f} s")
    if not is_reference_length(clip.seconds):
        seconds = Content.assemble(seconds, (" ▲", "bold $warning"))
    return {
        "mark": mark,
        "score": UNKNOWN if clip.score is None else f"{clip.score:.2f}",
        "seconds": seconds,
        "language": language_text(node, clip.language) or UNKNOWN,
        "text": _said(clip),
    }


def _said(clip: ReferenceClip) -> Content:
    """What a clip is called, where it has a name, and what is said in it."""
    if not clip.name:
        return Content(shorten(clip.text or Path(clip.path).name, 60))
    name = shorten(clip.name, 24)
    return Content.assemble(
        (name, "bold $secondary"), "  ", shorten(clip.text, 58 - cell_len(name))
    )


def take_cells(node: MessagePump, take: TakeRow, playing: bool) -> dict[str, TableCell]:
    """The table row of one take; a failed one says why."""
    mark, colour = _TAKE_STYLES[take.state]
    if playing:
        mark, colour = "♪", "$secondary"
    params = take.draft.params
    text = Content(shorten(str(params.get("text", "")), 40))
    if take.why is not None:
        why = shorten(translate_text(node, take.why.text), 80)
        text = Content.assemble((f"{why}  ", "$error"), text)
    if take.notices:
        text = Content.assemble(("▲ ", "bold $warning"), text)
    settings = changed_settings(node, take.draft)
    if settings:
        text = Content.assemble((f"{' · '.join(settings)}  ", "$warning"), text)
    return {
        "mark": Content.styled(mark, f"bold {colour}"),
        "pair": draft_pair_name(params),
        "seconds": UNKNOWN if take.seconds is None else f"{take.seconds:.1f} s",
        "seed": UNKNOWN if take.seed is None else str(take.seed),
        "text": text,
    }


def take_detail(node: MessagePump, take: TakeRow) -> Content:
    """Why the take failed, its sentences with their lengths, and the path of its file."""
    rows = []
    if take.why is not None:
        rows.append(
            Content.assemble(
                level_mark(take.why.level),
                (f" {translate_text(node, take.why.text)}", "$error"),
                (f" {translate_text(node, take.why.hint)}", "$faint"),
            )
        )
    for notice in take.notices:
        rows.append(
            Content.assemble(
                level_mark(notice.level),
                (f" {translate_text(node, notice.text)}", "$warning"),
                (f" {translate_text(node, notice.hint)}", "$faint"),
            )
        )
    for sentence in take.sentences:
        line = Content.assemble((f"{sentence.seconds:5.1f} s  ", "$secondary"), sentence.text)
        if not sentence.ended:
            line = Content.assemble(
                line, (f"  ▲ {translate(node, 'tui.speak_screen.ran_on')}", "$warning")
            )
        if sentence.reused:
            line = Content.assemble(
                line, (f"  {translate(node, 'tui.speak_screen.reused')}", "$faint")
            )
        if sentence.attempts > 1:
            again = translate(node, "tui.speak_screen.attempts", count=sentence.attempts)
            line = Content.assemble(line, (f"  {again}", "$warning"))
        rows.append(line)
    if take.first_audio_s is not None:
        first = translate(node, "tui.speak_screen.first_audio", seconds=f"{take.first_audio_s:.1f}")
        rows.append(Content.styled(first, "$faint"))
    if take.wav is not None:
        rows.append(
            Content.assemble((f"{translate(node, 'tui.voices.folder')} ", "$faint"), take.wav)
        )
    return Content("\n").join(rows)


def active_take_line(node: MessagePump, take: TakeRow, width: int) -> Content:
    """The active take: how much of its text is spoken, and when the first sound came."""
    text_length = max(1, len(str(take.draft.params.get("text", ""))))
    spoken = sum(len(sentence.text) for sentence in take.sentences)
    text = translate(
        node, "tui.speak_screen.once_listed" if take.awaits_weights else "tui.speak_screen.loading"
    )
    if take.sentences:
        text = translate(node, "tui.speak_screen.speaking", count=len(take.sentences))
    elif take.state == "speaking":
        text = translate(node, "tui.speak_screen.first")
    parts = [
        Content.styled("● ", "bold $secondary"),
        progress_bar(min(1.0, spoken / text_length), 16, "$secondary"),
        Content(f" {text}"),
    ]
    if take.first_audio_s is not None:
        first = translate(node, "tui.speak_screen.first_audio", seconds=f"{take.first_audio_s:.1f}")
        parts.append(Content.styled(f"  {first}", "$faint"))
    line = Content("").join(parts)
    if take.sentences:
        remaining = width - line.cell_length - 2
        line = Content.assemble(
            line, f"  {shorten(take.sentences[-1].text, remaining)}" if remaining > 8 else ""
        )
    return line


def clip_help(node: MessagePump, clip: ReferenceClip, voice: str) -> Content:
    """The transcript of the chosen clip, how programs ask for it, what becomes of its length."""
    rows = [Content(clip.text or translate(node, "tui.speak_screen.no_words"))]
    if clip.name:
        asked = translate(node, "tui.speak_screen.called", voice=voice, name=clip.name)
        rows.append(Content.styled(asked, "$secondary"))
    if clip.window is not None:
        start, end = clip.window
        facts = {"start": f"{start:.1f}", "end": f"{end:.1f}"}
        rows.append(Content.styled(translate(node, "tui.speak_screen.cut", **facts), "$warning"))
    elif not is_reference_length(clip.seconds):
        rows.append(Content.styled(translate(node, "tui.speak_screen.bad_length"), "$error"))
    advice = PARAMS["infer.ref_audio"]
    rows.append(Content.styled(translate(node, "tui.speak_screen.clip_keys"), "$foreground"))
    rows.append(Content.styled(clip.path, "$faint"))
    rows.append(Content.styled(translate_text(node, advice.recommended), "$secondary"))
    return Content("\n").join(rows)
