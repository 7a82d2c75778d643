"""A memory gauge: ours, others', free, in one row, naming who measured it."""

from __future__ import annotations

from textual.content import Content
from textual.message_pump import MessagePump

from tui.figures import NONE, memory
from tui.language import say
from tui.state.facts import GpuReading, Telemetry


def memory_bar(ours: int | None, used: int | None, total: int | None, width: int) -> Content:
    """Bar of `width` cells. Unknown totals give an empty track; nothing is drawn as zero."""
    if used is None or not total:
        return Content.styled("╌" * width, "$faint")
    mine = min(ours or 0, used)
    cells_used = min(width, round(used / total * width))
    cells_mine = min(cells_used, round(mine / total * width))
    hot = used / total > 0.92
    return Content.assemble(
        ("█" * cells_mine, "$chart-1"),
        ("▓" * (cells_used - cells_mine), "$error" if hot else "$chart-2"),
        ("░" * (width - cells_used), "$border-blurred"),
    )


def gpu_lines(node: MessagePump, gpu: GpuReading, width: int) -> list[Content]:
    """Two rows for one GPU: name with load and heat, then the memory bar."""
    load = NONE if gpu.utilisation is None else f"{gpu.utilisation:.0f} %"
    heat = NONE if gpu.temperature is None else f"{gpu.temperature:.0f} °C"
    figures = f"{memory(gpu.memory_used)} / {memory(gpu.memory_total)} GB"
    bar_width = max(6, width - len(figures) - 1)
    name = (gpu.name or gpu.uuid)[: max(8, width - len(load) - len(heat) - 5)]
    room = max(1, width - len(name) - len(load) - len(heat) - 2)
    return [
        Content.assemble(
            (name, "bold"), " " * room, (load, "$secondary"), "  ", (heat, "$foreground")
        ),
        Content.assemble(
            memory_bar(gpu.memory_ours, gpu.memory_used, gpu.memory_total, bar_width),
            (f" {figures}", "$foreground"),
        ),
    ]


def host_lines(node: MessagePump, sample: Telemetry, width: int) -> list[Content]:
    """System memory: this run's process, others, free."""
    figures = f"{memory(sample.ram_used)} / {memory(sample.ram_total)} GB"
    bar_width = max(6, width - len(figures) - 1)
    cpu = NONE if sample.cpu_percent is None else f"{sample.cpu_percent:.0f} %"
    process = say(node, "tui.monitor.process", figure=memory(sample.process_rss))
    title = say(node, "tui.monitor.ram")
    return [
        Content.assemble((title, "bold"), (f"  CPU {cpu}", "$secondary"), (f"  {process}", "")),
        Content.assemble(
            memory_bar(sample.process_rss, sample.ram_used, sample.ram_total, bar_width),
            (f" {figures}", "$foreground"),
        ),
    ]
