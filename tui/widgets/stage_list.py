"""The stages of a run, one row each: progress, epoch, rate, time left, loss."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.message_pump import MessagePump

from engine.contract.fold import StageState
from tui.figures import bar, duration, loss, percent, rate
from tui.language import say
from tui.widgets.states import stage_name

_MARKS = {
    "waiting": ("·", "$faint"), "running": ("▶", "$primary"), "finished": ("✓", "$success"),
}  # fmt: skip


def stage_line(node: MessagePump, stage: StageState, width: int) -> Content:
    """One row of at most `width` cells; what does not fit is left off at the right."""
    mark, colour = _MARKS.get(stage.state, _MARKS["waiting"])
    name = stage_name(node, stage.name)
    title = name + " " * max(1, 9 - cell_len(name))
    bar_width = max(8, min(28, width // 3))
    share = 1.0 if stage.state == "finished" else _share(stage)
    if stage.state == "waiting":
        progress = Content.styled("─" * bar_width, "$border-blurred")
    else:
        progress = bar(share, bar_width, "$success" if stage.state == "finished" else "$primary")
    head = Content.assemble((f"{mark} ", f"bold {colour}"), (title, "bold"), progress, " ")
    return head + Content.styled(_tail(node, stage, width - bar_width - 13), "$foreground")


def _share(stage: StageState) -> float | None:
    return stage.step / stage.total if stage.total else None


def _tail(node: MessagePump, stage: StageState, room: int) -> str:
    if stage.state == "waiting":
        facts = [say(node, "tui.monitor.planned", count=stage.total)] if stage.total else []
    elif stage.state == "finished":
        facts = [duration(stage.seconds)]
        if stage.updates:
            facts.append(say(node, "tui.monitor.updates", count=stage.updates))
        if stage.first_loss is not None:
            facts.append(f"{loss(stage.first_loss)} → {loss(stage.last_loss)}")
    else:
        facts = [f"{percent(_share(stage)):>5}", f"{stage.step}/{stage.total}"]
        if stage.eta_s is not None:
            facts.append(say(node, "tui.monitor.eta", time=duration(stage.eta_s)))
        if stage.epochs:
            facts.append(say(node, "tui.monitor.epoch", done=stage.epoch, of=stage.epochs))
        if stage.rate is not None:
            facts.append(rate(stage.rate))
    text = ""
    for fact in facts:
        if cell_len(text) + cell_len(fact) + 2 > room:
            break
        text += ("  " if text else "") + fact
    return text
