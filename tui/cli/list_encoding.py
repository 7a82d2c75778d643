"""Reads a dataset's list; one in another encoding is offered to be converted first."""

from __future__ import annotations

from pathlib import Path

from sovdeck.engine.contract.dataset.encoding import convert_list
from sovdeck.engine.contract.dataset.foreign_files import read_local_list
from sovdeck.engine.contract.dataset.items import DatasetManifest
from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.prompts import TerminalDialog


def read_list(source: Path, wavs: Path | None, console: Console) -> DatasetManifest:
    """The list; on a terminal the person may have it converted to UTF-8, else it is a Problem."""
    try:
        return read_local_list(source, wavs)
    except Problem as problem:
        if problem.key != "engine.data.other_encoding":
            raise
        if not TerminalDialog(console).confirm("tui.cli.offer_convert", **problem.facts):
            raise
    encoding, backup = convert_list(source)
    console.print_message(
        "tui.cli.list_converted", file=str(source), encoding=encoding, backup=str(backup)
    )
    return read_local_list(source, wavs)
