"""Memory gauges of GPUs and of the host."""

from __future__ import annotations

from textual.content import Content
from textual.message_pump import MessagePump

from sovdeck.engine.contract.format import UNKNOWN, format_gib
from sovdeck.tui.state.server_models import GpuReading, Telemetry
from sovdeck.tui.text.i18n import translate


def memory_bar(ours: int | None, used: int | None, total: int | None, width: int) -> Content:
    """A bar of `width` cells: own, others', free. Without a total it is an empty track."""
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
    """Two rows for one GPU: name, load and temperature, then the memory bar."""
    load = UNKNOWN if gpu.utilisation is None else f"{gpu.utilisation:.0f} %"
    heat = UNKNOWN if gpu.temperature is None else f"{gpu.temperature:.0f} °C"
    amount = f"{format_gib(gpu.memory_used)} / {format_gib(gpu.memory_total)} GB"
    bar_width = max(6, width - len(amount) - 1)
    name, limit = gpu.name or gpu.uuid, max(8, width - len(load) - len(heat) - 5)
    for maker in ("NVIDIA ", "GeForce "):  # what tells cards apart comes last
        name = name.removeprefix(maker) if len(name) > limit else name
    name = name[:limit]
    gap = max(1, width - len(name) - len(load) - len(heat) - 2)
    return [
        Content.assemble(
            (name, "bold"), " " * gap, (load, "$secondary"), "  ", (heat, "$foreground")
        ),
        Content.assemble(
            memory_bar(gpu.memory_ours, gpu.memory_used, gpu.memory_total, bar_width),
            (f" {amount}", "$foreground"),
        ),
    ]


def host_lines(node: MessagePump, sample: Telemetry, width: int) -> list[Content]:
    """Two rows for the host: CPU load and this run's process, then the memory bar."""
    amount = f"{format_gib(sample.ram_used)} / {format_gib(sample.ram_total)} GB"
    bar_width = max(6, width - len(amount) - 1)
    cpu = UNKNOWN if sample.cpu_percent is None else f"{sample.cpu_percent:.0f} %"
    process = translate(node, "tui.monitor.process", figure=format_gib(sample.process_rss))
    title = translate(node, "tui.monitor.ram")
    return [
        Content.assemble((title, "bold"), (f"  CPU {cpu}", "$secondary"), (f"  {process}", "")),
        Content.assemble(
            memory_bar(sample.process_rss, sample.ram_used, sample.ram_total, bar_width),
            (f" {amount}", "$foreground"),
        ),
    ]
