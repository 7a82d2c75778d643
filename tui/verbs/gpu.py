"""`sovdeck gpu [SERVER]`: GPU memory and load; the machine's own memory where there is no GPU."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from tui.console import Console, size
from tui.target import add_server, open_studio

if TYPE_CHECKING:
    from remote.telemetry import Sample


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_server(parser)
    parser.add_argument("-f", "--follow", action="store_true")


def run(args: argparse.Namespace, console: Console) -> int:
    from remote.telemetry import Watch, explain

    with open_studio(args, console) as studio:
        watch = Watch(studio.link, str(studio.layout().work))
        try:
            for number, sample in enumerate(watch.samples()):
                # The first sample may come before the GPU has answered.
                if number == 0 and not args.follow and sample.source == "proc":
                    continue
                console.emit(asdict(sample))
                for line in lines(sample):
                    console.write(line)
                for fault in sample.faults:
                    console.write(explain(fault).get(console.language))
                if not args.follow:
                    return 0
        finally:
            watch.close()
    return 0


def lines(sample: Sample) -> list[str]:
    """What a sample says; a figure nobody gave is shown as unknown, never as 0."""
    found = []
    for gpu in sample.gpus:
        load = "?" if gpu.utilisation is None else f"{gpu.utilisation:.0f} %"
        found.append(
            f"GPU {gpu.index} {gpu.name}: {_of(gpu.memory_used, gpu.memory_total)}, {load}"
        )
    machine = sample.machine
    found.append(f"RAM ({machine.memory_source}): {_of(machine.memory_used, machine.memory_total)}")
    return found


def _of(used: int | None, total: int | None) -> str:
    return f"{'?' if used is None else size(used)} / {'?' if total is None else size(total)}"
