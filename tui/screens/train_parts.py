"""The texts beside the training form: the plan and a field's help."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.message_pump import MessagePump

from engine.contract.param import Param
from engine.contract.problem import Problem
from tui.figures import duration, memory, money, size
from tui.language import language_of, say, say_hint, tell
from tui.state.facts import Remark
from tui.state.recipes import BUILT_IN, OWN
from tui.state.state import State
from tui.state.work import TrainPlan
from tui.widgets.gauge import memory_bar
from tui.widgets.states import level_mark, stage_name


def plan_lines(node: MessagePump, state: State, width: int) -> Content:
    """Updates, time, money, memory and disk of the draft, then what speaks against it."""
    plan = state.plan
    if plan is None:
        return Content.styled(say(node, "tui.train.no_plan"), "$faint")
    lines = []
    for stage in plan.stages:
        words = say(
            node, "tui.train.updates", epochs=stage.epochs, each=stage.updates_per_epoch,
            all=stage.updates, batch=stage.batch,
        )  # fmt: skip
        name = f"{stage_name(node, stage.name):<7} "
        colour = "$error" if stage.updates_per_epoch == 0 else "$foreground"
        lines.append(
            Content.assemble((name, "bold $secondary"), (words, colour),
                             (f"  {duration(stage.seconds)}", "$faint"))
        )  # fmt: skip
    lines.append(Content.styled(_total(node, plan), "bold"))
    if plan.memory is not None:
        title, figures = f"{say(node, 'tui.train.memory')} ", f" {_memory(plan)}"
        room = width - cell_len(title) - cell_len(figures)
        bar = memory_bar(plan.memory, plan.memory, plan.memory_total, room) if room >= 4 else ""
        lines.append(Content.assemble(title, bar, figures))
    if plan.disk is not None:
        figures = say(node, "tui.train.disk", need=size(plan.disk), free=size(plan.disk_free))
        lines.append(Content.styled(figures, "$foreground"))
    lines += [remark_line(node, remark) for remark in plan.remarks]
    return Content("\n").join(lines)


def plan_brief(node: MessagePump, state: State) -> Content:
    """The same for a screen of few rows: its figures in one sentence, then the remarks."""
    plan = state.plan
    if plan is None:
        return Content.styled(say(node, "tui.train.no_plan"), "$faint")
    facts = [f"{stage_name(node, stage.name)} {stage.updates}" for stage in plan.stages]
    facts += [_total(node, plan)] + ([_memory(plan)] if plan.memory is not None else [])
    lines = [Content.styled("  ·  ".join(facts), "bold")]
    return Content("\n").join(lines + [remark_line(node, remark) for remark in plan.remarks])


def _total(node: MessagePump, plan: TrainPlan) -> str:
    total = say(node, "tui.train.total", time=duration(plan.seconds))
    return total if plan.cost is None else f"{total}  ·  {money(plan.cost, plan.currency)}"


def _memory(plan: TrainPlan) -> str:
    return f"{memory(plan.memory)} / {memory(plan.memory_total)} GB"


def remark_line(node: MessagePump, remark: Remark) -> Content:
    colour = {"bad": "$error", "warning": "$warning"}.get(remark.level, "$foreground")
    return Content.assemble(
        level_mark(remark.level), (f" {tell(node, remark.text)}", colour),
        (f" {tell(node, remark.hint)}", "$faint"),
    )  # fmt: skip


def field_help(node: MessagePump, param: Param, problem: Problem | None) -> Content:
    """Meaning, range, default, recommendation and the guide's advice of one parameter."""
    rows = [Content(tell(node, param.help))]
    if problem is not None:
        rows.insert(0, Content.styled(problem.sentence(language_of(node)), "bold $error"))
    facts = [
        ("tui.train.range", param.range_text() + (" | auto" if param.auto else "")),
        ("tui.train.default", _plain(param.default)),
        ("tui.train.recommended", tell(node, param.recommended)),
    ]
    for words, value in facts:
        if value:
            rows.append(Content.assemble((f"{say(node, words)}  ", "$faint"), value))
    advice = tell(node, param.advice)
    if advice:
        rows.append(Content.styled(advice, "$secondary"))
    return Content("\n").join(rows)


def recipe_help(node: MessagePump, name: str, count: int) -> Content:
    """What a recipe is for."""
    if name in (*BUILT_IN, OWN):
        return Content(say_hint(node, f"tui.train.recipe_{name}"))
    words = say(node, "tui.train.recipe_saved", name=name, count=count)
    more = say_hint(node, "tui.train.recipe_saved", name=name, count=count)
    return Content.assemble(words, " ", (more, "$faint"))


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
