"""The stages of a run, one row each: progress, epoch, rate, time left, loss."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.message_pump import MessagePump

from sovdeck.engine.contract.fold import StageState
from sovdeck.engine.contract.format import (
    format_duration,
    format_loss,
    format_percent,
    format_step_rate,
)
from sovdeck.tui.text.i18n import translate
from sovdeck.tui.widgets.progress_bar import progress_bar
from sovdeck.tui.widgets.status_labels import stage_name

_MARKS = {
    "waiting": ("·", "$faint"),
    "running": ("▶", "$primary"),
    "finished": ("✓", "$success"),
}


def stage_line(node: MessagePump, stage: StageState, width: int) -> Content:
    """One row of at most `width` cells; what does not fit is left out at the right."""
    mark, colour = _MARKS.get(stage.state, _MARKS["waiting"])
    name = stage_name(node, stage.name)
    title = name + " " * max(1, 9 - cell_len(name))
    bar_width = max(8, min(28, width // 3))
    share = 1.0 if stage.state == "finished" else _progress_share(stage)
    if stage.state == "waiting":
        progress = Content.styled("─" * bar_width, "$border-blurred")
    else:
        progress = progress_bar(
            share, bar_width, "$success" if stage.state == "finished" else "$primary"
        )
    head = Content.assemble((f"{mark} ", f"bold {colour}"), (title, "bold"), progress, " ")
    return head + Content.styled(_details_text(node, stage, width - bar_width - 13), "$foreground")


def _progress_share(stage: StageState) -> float | None:
    return stage.step / stage.total if stage.total else None


def _details_text(node: MessagePump, stage: StageState, width: int) -> str:
    if stage.state == "waiting":
        facts = [translate(node, "tui.monitor.planned", count=stage.total)] if stage.total else []
    elif stage.state == "finished":
        facts = [format_duration(stage.seconds)]
        if stage.updates:
            facts.append(translate(node, "tui.monitor.updates", count=stage.updates))
        if stage.first_loss is not None:
            facts.append(f"{format_loss(stage.first_loss)} → {format_loss(stage.last_loss)}")
    else:
        facts = [f"{format_percent(_progress_share(stage)):>5}", f"{stage.step}/{stage.total}"]
        if stage.eta_s is not None:
            facts.append(translate(node, "tui.monitor.eta", time=format_duration(stage.eta_s)))
        if stage.epochs:
            facts.append(translate(node, "tui.monitor.epoch", done=stage.epoch, of=stage.epochs))
        if stage.rate is not None:
            facts.append(format_step_rate(stage.rate))
    text = ""
    for fact in facts:
        if cell_len(text) + cell_len(fact) + 2 > width:
            break
        text += ("  " if text else "") + fact
    return text
