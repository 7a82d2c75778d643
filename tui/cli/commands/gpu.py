"""`sovdeck gpu [SERVER]`: GPU memory and load; RAM where there is no GPU."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from sovdeck.engine.contract.format import format_bytes
from sovdeck.remote.probe.telemetry import TelemetrySample, TelemetryStream, issue_text
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.server_argument import add_server_argument, open_session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck gpu`."""
    add_server_argument(parser)
    parser.add_argument("-f", "--follow", action="store_true")


def run(args: argparse.Namespace, console: Console) -> int:
    """Print one sample, or with `--follow` all of them."""
    with open_session(args, console) as session:
        stream = TelemetryStream(session.connection, str(session.layout().work))
        try:
            for number, sample in enumerate(stream.samples()):
                # The first sample may come before the GPU has answered.
                if number == 0 and not args.follow and sample.source == "proc":
                    continue
                console.print_json(asdict(sample))
                for line in format_sample(sample):
                    console.print_line(line)
                for fault in sample.gpu_issues:
                    console.print_line(issue_text(fault).get(console.language))
                if not args.follow:
                    return 0
        finally:
            stream.close()
    return 0


def format_sample(sample: TelemetrySample) -> list[str]:
    """The lines of a sample; an unknown value is "?", never 0."""
    rows = []
    for gpu in sample.gpus:
        load = "?" if gpu.utilisation is None else f"{gpu.utilisation:.0f} %"
        rows.append(
            f"GPU {gpu.index} {gpu.name}: "
            f"{_used_of_total(gpu.memory_used, gpu.memory_total)}, {load}"
        )
    machine = sample.machine
    rows.append(
        f"RAM ({machine.memory_source}): "
        f"{_used_of_total(machine.memory_used, machine.memory_total)}"
    )
    return rows


def _used_of_total(used: int | None, total: int | None) -> str:
    return " / ".join("?" if n is None else format_bytes(n) for n in (used, total))
