"""The texts of the Monitor screen, made from the state; no widgets."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.message_pump import MessagePump

from sovdeck.engine.contract.catalogue import Text
from sovdeck.engine.contract.events import Event
from sovdeck.engine.contract.format import format_bytes, format_duration, format_money
from sovdeck.tui.state.freshness import freshness
from sovdeck.tui.state.runs import RunView
from sovdeck.tui.state.server_models import ServerState, Telemetry
from sovdeck.tui.state.state import State
from sovdeck.tui.text.i18n import language_of, translate
from sovdeck.tui.widgets.gauge import gpu_lines, host_lines
from sovdeck.tui.widgets.status_labels import age_text, job_pill, level_mark, stage_name

_SPARK_CHARS = "▁▂▃▄▅▆▇█"
# Who measured is named where it is a tool that people know.
_MEMORY_TITLE_KEYS = {
    "proc": "tui.monitor.memory_machine",
    "psutil": "tui.monitor.memory_machine",
    "cgroup": "tui.monitor.memory_container",
}


def head_line(node: MessagePump, state: State, run: RunView, width: int) -> Content:
    """State, voice, elapsed time, cost and server; parts that do not fit are left out."""
    server = state.servers.get(run.server)
    fresh = freshness(run.heard_at, state.now)
    parts = [job_pill(node, run.status), Content.styled(run.voice or run.run, "bold")]
    if not run.ended and fresh != "live":
        parts.append(Content.styled(age_text(node, run.heard_at, state.now), "bold $warning"))
    facts = []
    elapsed = _elapsed(state, run)
    if elapsed is not None:
        key = "tui.monitor.took" if run.ended else "tui.monitor.elapsed"
        facts.append(translate(node, key, time=format_duration(elapsed)))
        cost = _cost(server, elapsed)
        if cost is not None:
            facts.append(cost)
    if run.eta_s is not None and run.stage is not None:
        name = stage_name(node, run.stage.name)
        facts.append(
            translate(node, "tui.monitor.stage_eta", stage=name, time=format_duration(run.eta_s))
        )
    if run.job is not None and run.job.exit_code not in (None, 0):
        facts.append(translate(node, "tui.monitor.exit_code", code=run.job.exit_code))
    if run.state.attempt > 1:
        facts.append(translate(node, "tui.monitor.attempt", count=run.state.attempt))
    if run.state.gaps or run.state.repeats:
        gaps, repeats = run.state.gaps, run.state.repeats
        facts.append(translate(node, "tui.monitor.unsound", gaps=gaps, repeats=repeats))
    facts += [run.server, run.run]
    line = Content("  ").join(parts)
    for fact in facts:
        if line.cell_length + cell_len(fact) + 5 > width:
            break
        line = Content.assemble(line, ("  ·  ", "$border-blurred"), (fact, "$faint"))
    return line


def _elapsed(state: State, run: RunView) -> float | None:
    if run.state.started is None:
        return None
    until = run.state.as_of if run.ended else max(state.now, run.state.as_of)
    return (until - run.state.started) / 1000


def _cost(server: ServerState | None, seconds: float) -> str | None:
    if server is None or server.saved.price_per_hour is None:
        return None
    return format_money(server.saved.price_per_hour * seconds / 3600, server.saved.currency)


def failure_line(node: MessagePump, failure: Text) -> Content:
    """Why the run did not succeed; the widget wraps it, so that nothing of it is cut."""
    return Content.assemble(level_mark("bad"), f" {failure.get(language_of(node))}")


def fault_lines(node: MessagePump, state: State, run: RunView) -> list[Content]:
    """Faults of the GPUs or their driver with advice, one line each."""
    server = state.servers.get(run.server)
    if server is None or server.telemetry is None:
        return []
    language = language_of(node)
    return [
        Content.assemble(
            level_mark(fault.level),
            f" {fault.text.get(language)} ",
            (fault.hint.get(language), "$faint"),
        )
        for fault in server.telemetry.faults
    ]


def gauge_title(node: MessagePump, state: State, run: RunView) -> str:
    """Who measured memory and, when the values are not fresh, their age."""
    sample = _newest_telemetry(state, run)
    if sample is None:
        return translate(node, "tui.monitor.memory")
    key = _MEMORY_TITLE_KEYS.get(sample.source, "tui.monitor.memory_by")
    title = translate(node, key, source=sample.source)
    age = age_text(node, sample.t, state.now)
    return f"{title} · {age}" if age and not run.ended else title


def _newest_telemetry(state: State, run: RunView) -> Telemetry | None:
    """The server's telemetry with this run's share, else the engine's own last values."""
    server = state.servers.get(run.server)
    if server is not None and server.telemetry is not None:
        return _with_ours(server.telemetry, run.state.memory)
    return _from_run(run.state.memory, run.state.as_of)


def gauge_lines(node: MessagePump, state: State, run: RunView, width: int) -> list[Content]:
    """The GPUs' memory and load, or the host's where there is no GPU."""
    sample = _newest_telemetry(state, run)
    if sample is None:
        unknown = Content.styled(translate(node, "tui.monitor.no_memory"), "$faint")
        return [unknown, unknown]
    lines: list[Content] = []
    history = state.history.get(run.server, {})
    for gpu in sample.gpus:
        lines += gpu_lines(node, gpu, width)
        load = history.get(f"{gpu.uuid}/utilisation")
        if load is not None and len(sample.gpus) == 1:
            lines.append(
                _sparkline(translate(node, "tui.monitor.load"), load.ys()[-width:], 100.0, width)
            )
    if not sample.gpus:
        lines += host_lines(node, sample, width)
        load = history.get("cpu")
        if load is not None:
            lines.append(_sparkline("CPU", load.ys()[-width:], 100.0, width))
    return lines


def _with_ours(sample: Telemetry, memory: Mapping[str, Any]) -> Telemetry:
    """The server's telemetry with the memory of this run, which only the run knows."""
    ours = _int_value(memory, "gpu_ours")
    gpus = sample.gpus
    if ours is not None and len(gpus) == 1:
        gpus = (replace(gpus[0], memory_ours=ours),)
    return replace(sample, gpus=gpus, process_rss=_int_value(memory, "process_rss"))


def _int_value(memory: Mapping[str, Any], name: str) -> int | None:
    value = memory.get(name)
    whole = isinstance(value, (int, float)) and not isinstance(value, bool)
    return int(value) if whole and value is not None else None


def _from_run(memory: Mapping[str, Any], at: int) -> Telemetry | None:
    """The engine's last memory event, for a server without telemetry."""
    if not memory.get("source"):
        return None
    return Telemetry(
        at,
        str(memory["source"]),
        (),
        _int_value(memory, "ram_used"),
        _int_value(memory, "ram_total"),
        _int_value(memory, "process_rss"),
        None,
    )


def _sparkline(title: str, values: Any, top: float, width: int) -> Content:
    cells = max(4, width - cell_len(title) - 1)
    marks = "".join(
        " " if value != value else _SPARK_CHARS[min(7, max(0, int(value / top * 7.99)))]
        for value in values[-cells:]
    )
    return Content.assemble((f"{title} ", "$faint"), (marks.rjust(cells), "$chart-2-dim"))


def event_lines(node: MessagePump, run: RunView, width: int, height: int) -> list[Content]:
    """Warnings, errors and out-of-memory recoveries, oldest first, then exported files.

    Sentences are wrapped, never cut; where rows are few the latest stay.
    """
    notices = [line for event in run.state.notices for line in _notice(node, event, width)]
    exports = []
    for export in run.state.exports:
        path = str(export.get("path", ""))
        count = export.get("bytes")
        size_text = format_bytes(count) if isinstance(count, (int, float)) else ""
        text = translate(node, "tui.monitor.saved", path=path.rsplit("/", 1)[-1], size=size_text)
        exports.append(Content.assemble(level_mark("good"), f" {_truncate(text, width - 2)}"))
    if not notices and not exports:
        return [Content.styled(translate(node, "tui.monitor.quiet"), "$faint")]
    rows = max(1, height)
    saved = min(len(exports), max(1, rows - len(notices)))
    notice_rows = rows - saved
    return (notices[-notice_rows:] if notice_rows else []) + (exports[-saved:] if saved else [])


def _notice(node: MessagePump, event: Event, width: int) -> list[Content]:
    payload = event.payload
    level = "bad" if event.type == "error" else "warning"
    if event.type == "oom_recovered":
        text = translate(
            node,
            "tui.monitor.oom",
            before=payload.get("batch_before"),
            after=payload.get("batch_after"),
        )
    elif event.type == "stall":
        text = translate(node, "tui.monitor.stall", seconds=payload.get("seconds"))
    else:
        text = (
            _engine_text(node, payload.get("message"))
            + " "
            + _engine_text(node, payload.get("hint"))
        )
    clock = time.strftime("%H:%M:%S", time.localtime(event.t / 1000))
    line = Content.assemble(level_mark(level), (f" {clock} ", "$faint"), text.strip())
    first, *rest = line.wrap(max(4, width - 2))
    return [first, *(Content.assemble("  ", more) for more in rest)]


def _engine_text(node: MessagePump, value: Any) -> str:
    """A message of the engine in the app's language; other values as they are."""
    if isinstance(value, dict):
        return str(value.get(language_of(node), value.get("en", "")))
    return "" if value is None else str(value)


def _truncate(text: str, width: int) -> str:
    if width < 2 or cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…"
