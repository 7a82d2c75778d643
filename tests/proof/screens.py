"""What the dashboard says of what was read: the texts that its screens are made of, no widgets."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from textual.content import Content

from sovdeck.engine.contract.events import Event
from sovdeck.tui.screens.audition.text import cell_detail, cell_row, progress_line
from sovdeck.tui.screens.monitor.curves import stage_curves, validation_steps
from sovdeck.tui.screens.monitor.text import event_lines, gauge_lines, gauge_title, head_line
from sovdeck.tui.screens.rent.text import lease_cells, lease_lines
from sovdeck.tui.screens.speak.text import reference_cells, weight_cells
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.models import JobStatus
from sovdeck.tui.state.rent_models import LeaseRow
from sovdeck.tui.state.server_models import SavedServer, Telemetry
from sovdeck.tui.state.speech_models import AuditionState
from sovdeck.tui.state.store import Store
from sovdeck.tui.widgets.gauge import gpu_lines, host_lines
from sovdeck.tui.widgets.stage_list import stage_line

# A widget, as far as its language is asked for.
NODE: Any = SimpleNamespace(app=SimpleNamespace(language="zh"))
WIDTH, MOST_CELLS = 80, 100_000  # a line is cut to a screen's width by the widget that shows it


def _paint(*lines: Content | str) -> None:
    for line in lines:
        assert len(str(line)) < MOST_CELLS, f"a line of {len(str(line))} characters"


def show_run(found: Sequence[Event], sample: Telemetry | None = None) -> None:
    """Monitor, of a run with these events."""
    store = Store()
    store.apply([ev.ServersLoaded((SavedServer("box", "root@h"),))])
    store.apply([ev.RunEvents("box", "r1", tuple(found), 5)])
    store.apply([ev.JobSeen(JobStatus("box", "r1", "running", "Mei"), 6)])
    if sample is not None:
        store.apply([ev.TelemetrySeen("box", sample, 6)])
    for run in store.state.runs.values():
        _paint(head_line(NODE, store.state, run, WIDTH), gauge_title(NODE, store.state, run))
        _paint(*gauge_lines(NODE, store.state, run, WIDTH), *event_lines(NODE, run, WIDTH, 20))
        for stage in run.state.stages:
            _paint(stage_line(NODE, stage, WIDTH))
            stage_curves(NODE, run, stage.name, True)
            stage_curves(NODE, run, stage.name, False)
            validation_steps(run, stage.name)


def show_telemetry(sample: Telemetry) -> None:
    """The gauges, beside a run and on their own."""
    _paint(*host_lines(NODE, sample, WIDTH))
    for gpu in sample.gpus:
        _paint(*gpu_lines(NODE, gpu, WIDTH))
    show_run((), sample)


def show_grid(grid: AuditionState) -> None:
    """Audition."""
    _paint(progress_line(NODE, grid, WIDTH))
    for cell in grid.cells:
        cell_row(NODE, cell, False)
        _paint(cell_detail(NODE, cell))


def show_voice(weights: Sequence[Any], clip: Any) -> None:
    """Speak: weights and clips."""
    for weight in weights:
        weight_cells(NODE, weight, False)
    if clip is not None:
        reference_cells(NODE, clip, False, False, False)


def show_lease(row: LeaseRow) -> None:
    """Rent."""
    lease_cells(NODE, row, 6_000)
    _paint(*lease_lines(NODE, row, False))
