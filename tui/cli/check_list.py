"""Check a list on the command line: measured on all cores, with progress, once for all commands."""

from __future__ import annotations

from pathlib import Path

from sovdeck.engine.contract.dataset.check import CheckedDataset, check_clips
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.voices.clip_measuring import ClipMeasurer
from sovdeck.tui.audio.measure_file import measure_file
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.list_encoding import read_list

_PROGRESS_EVERY = 50  # recordings between two lines of progress


def make_measurer() -> ClipMeasurer:
    """What measures recordings and remembers them in the user's cache folder."""
    return ClipMeasurer(AppPaths.locate().clips_folder, measure_file)


def check_list(source: Path, wavs: Path | None, console: Console) -> CheckedDataset:
    """Read a list and judge every clip; Problem when the list cannot be read."""
    manifest = read_list(source, wavs, console)
    measurer, recordings = make_measurer(), [item.wav for item in manifest.items]

    def tell(done: int) -> None:
        if done % _PROGRESS_EVERY == 0:
            console.show_status(f"{done}/{len(recordings)}")

    measurer.measure_all(source, recordings, tell)
    return check_clips(manifest, measurer)
