"""The texts beside the training form: the plan and the help of a field."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.message_pump import MessagePump

from sovdeck.engine.contract.format import (
    format_bytes,
    format_duration,
    format_gib,
    format_money,
)
from sovdeck.engine.contract.layout import is_voice_name
from sovdeck.engine.contract.param import Param
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.tui.state.models import TrainPlan
from sovdeck.tui.state.recipes import BUILT_IN, OWN
from sovdeck.tui.state.server_models import Remark
from sovdeck.tui.state.state import State
from sovdeck.tui.text.i18n import language_of, translate, translate_hint, translate_text
from sovdeck.tui.text.param_values import range_text, value_text
from sovdeck.tui.widgets.gauge import memory_bar
from sovdeck.tui.widgets.status_labels import level_mark, stage_name


def plan_text(node: MessagePump, state: State, voice: str, width: int) -> Content:
    """Updates, time, cost, memory and disk of the draft, then its remarks."""
    plan = state.plan
    if plan is None:
        return _no_plan_text(node, state, voice)
    lines = []
    for stage in plan.run.stages:
        text = translate(
            node,
            "tui.train.updates",
            epochs=stage.epochs,
            each=stage.updates_per_epoch,
            all=stage.updates,
            batch=stage.batch,
        )
        name = f"{stage_name(node, stage.name):<7} "
        colour = "$error" if stage.updates_per_epoch == 0 else "$foreground"
        lines.append(
            Content.assemble(
                (name, "bold $secondary"),
                (text, colour),
                (f"  {format_duration(stage.seconds)}", "$faint"),
            )
        )
    lines.append(Content.styled(_total_text(node, plan), "bold"))
    if plan.run.memory:
        # Without a GPU the machine's own memory is what has to do.
        key = "tui.train.memory" if plan.device.gpu_name else "tui.train.ram"
        title, amount = f"{translate(node, key)} ", f" {_memory_text(plan)}"
        bar_width = width - cell_len(title) - cell_len(amount)
        bar = (
            memory_bar(plan.run.memory, plan.run.memory, plan.device.memory, bar_width)
            if bar_width >= 4
            else ""
        )
        lines.append(Content.assemble(title, bar, amount))
    need, free = format_bytes(plan.run.disk), format_bytes(plan.device.disk_free)
    disk = translate(node, "tui.train.disk", need=need, free=free)
    lines.append(Content.styled(disk, "$foreground"))
    lines += [remark_line(node, remark) for remark in plan.remarks]
    return Content("\n").join(lines)


def hint_lines(node: MessagePump, state: State, voice: str) -> list[Content]:
    """What to know before a run of `voice` on the chosen server is asked for, one line each."""
    server = state.server or ""
    active = [run for run in state.runs_of(server) if not run.ended]
    same = [run for run in active if run.voice.casefold() == voice.casefold()]
    known = {*state.datasets.get(server, ()), *(v.name for v in state.all_voices())}
    alike = sorted(name for name in known - {voice} if name.casefold() == voice.casefold())
    hints: list[str] = []
    if not voice:
        hints.append(translate(node, "tui.train.hint_no_name"))
    elif not is_voice_name(voice):
        problem = Problem("engine.layout.bad_name", ExitCode.CONFIG, name=voice)
        hints.append(problem.sentence(language_of(node)))
    if voice and alike and voice not in known:
        hints.append(translate(node, "tui.train.hint_case", voice=voice, other=alike[0]))
    if voice and same:
        hints.append(translate(node, "tui.train.hint_same_voice", voice=voice, run=same[-1].run))
    elif active:
        facts = {"run": active[-1].voice or active[-1].run, "server": server}
        hints.append(translate(node, "tui.train.hint_busy", **facts))
    chosen = state.chosen_server
    if chosen is not None and chosen.facts is not None and not chosen.facts.gpus:
        hints.append(translate(node, "tui.train.hint_no_gpu", server=server))
    return [Content.assemble(level_mark("warning"), f" {hint}") for hint in hints]


def datasets_line(node: MessagePump, state: State, voice: str) -> Content | None:
    """The datasets of the chosen server, and whether the voice has one; None: none is known."""
    names = state.datasets.get(state.server or "", ())
    if not names:
        return None
    if voice and voice not in names:
        facts = {"voice": voice, "names": ", ".join(names)}
        missing = translate(node, "tui.train.dataset_missing", **facts)
        return Content.assemble(level_mark("warning"), f" {missing}")
    text = translate(node, "tui.train.datasets", names=", ".join(names))
    return Content.styled(text, "$faint")


def short_plan_text(node: MessagePump, state: State, voice: str) -> Content:
    """The same for a screen of few rows: one sentence, then the remarks."""
    plan = state.plan
    if plan is None:
        return _no_plan_text(node, state, voice)
    facts = [f"{stage_name(node, stage.name)} {stage.updates}" for stage in plan.run.stages]
    facts += [_total_text(node, plan)] + ([_memory_text(plan)] if plan.run.memory else [])
    lines = [Content.styled("  ·  ".join(facts), "bold")]
    return Content("\n").join(lines + [remark_line(node, remark) for remark in plan.remarks])


def _no_plan_text(node: MessagePump, state: State, voice: str) -> Content:
    """Why there is no plan yet."""
    if not voice:
        return Content("")  # the hint above asks for its name
    if state.plan_refused is not None:
        return remark_line(node, state.plan_refused)
    return Content.styled(translate(node, "tui.train.no_plan"), "$faint")


def _total_text(node: MessagePump, plan: TrainPlan) -> str:
    run = plan.run
    total = translate(node, "tui.train.total", time=format_duration(run.seconds))
    return total if run.cost is None else f"{total}  ·  {format_money(run.cost, run.currency)}"


def _memory_text(plan: TrainPlan) -> str:
    return f"{format_gib(plan.run.memory)} / {format_gib(plan.device.memory)} GB"


def remark_line(node: MessagePump, remark: Remark) -> Content:
    """One remark with its level and its advice."""
    colour = {"bad": "$error", "warning": "$warning"}.get(remark.level, "$foreground")
    return Content.assemble(
        level_mark(remark.level),
        (f" {translate_text(node, remark.text)}", colour),
        (f" {translate_text(node, remark.hint)}", "$faint"),
    )


def field_help(node: MessagePump, param: Param, problem: Problem | None) -> Content:
    """Meaning, range, default, recommendation and advice of one parameter."""
    rows = [Content(translate_text(node, param.help))]
    if problem is not None:
        rows.insert(0, Content.styled(problem.sentence(language_of(node)), "bold $error"))
    facts = [
        ("tui.train.range", range_text(node, param)),
        ("tui.train.default", value_text(node, param, param.default)),
        ("tui.train.recommended", translate_text(node, param.recommended)),
    ]
    for key, value in facts:
        if value:
            rows.append(Content.assemble((f"{translate(node, key)}  ", "$faint"), value))
    advice = translate_text(node, param.advice)
    if advice:
        rows.append(Content.styled(advice, "$secondary"))
    return Content("\n").join(rows)


def recipe_help(node: MessagePump, name: str, count: int) -> Content:
    """What a recipe is for."""
    if name in (*BUILT_IN, OWN):
        return Content(translate_hint(node, f"tui.train.recipe_{name}"))
    text = translate(node, "tui.train.recipe_saved", name=name, count=count)
    more = translate_hint(node, "tui.train.recipe_saved", name=name, count=count)
    return Content.assemble(text, " ", (more, "$faint"))
