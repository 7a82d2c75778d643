"""Command handlers of the Dataset screen, and of playback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sovdeck.tui.dashboard.service_host import ServiceHost
from sovdeck.tui.state import commands


def check_dataset(host: ServiceHost, command: commands.CheckDataset) -> None:
    """Read and check a dataset folder."""
    datasets = host.services.datasets
    host.tasks.run(
        "dataset",
        lambda emit, cancel: datasets.check(command.folder, command.wavs, emit, cancel),
    )


def convert_list(host: ServiceHost, command: commands.ConvertList) -> None:
    """Rewrite a list as UTF-8."""
    datasets = host.services.datasets
    host.tasks.run("dataset", lambda emit, cancel: datasets.convert(command.folder, emit, cancel))


def transcribe_recordings(host: ServiceHost, command: commands.TranscribeRecordings) -> None:
    """Let a server write recordings down; no effect while it does."""
    if host.tasks.is_running("transcribe"):
        return
    datasets = host.services.datasets
    host.tasks.run(
        "transcribe",
        lambda emit, cancel: datasets.transcribe(
            command.server, command.source, command.voice, emit, cancel
        ),
    )


def edit_clip(host: ServiceHost, command: commands.EditClip) -> None:
    """Correct one line of the list."""
    datasets = host.services.datasets
    host.tasks.run(
        "dataset", lambda emit, cancel: datasets.edit(command.folder, command.edit, emit, cancel)
    )


def undo_edit(host: ServiceHost, command: commands.UndoEdit) -> None:
    """Take back the newest correction."""
    datasets = host.services.datasets
    host.tasks.run("dataset", lambda emit, cancel: datasets.undo(command.folder, emit, cancel))


def read_waveform(host: ServiceHost, command: commands.ReadWaveform) -> None:
    """Read a recording's waveform."""
    datasets = host.services.datasets
    host.tasks.run(
        "waveform", lambda emit, cancel: datasets.read_waveform(command.wav, emit, cancel)
    )


def play_sound(host: ServiceHost, command: commands.PlaySound) -> None:
    """Play a file of this computer."""
    host.playback.play(command.path, automatic=command.automatic, alias=command.alias)


def stop_sound(host: ServiceHost, command: commands.StopSound) -> None:
    """Stop what plays."""
    host.playback.stop()


DATASET_COMMAND_HANDLERS: dict[type, Callable[[ServiceHost, Any], None]] = {
    commands.CheckDataset: check_dataset,
    commands.ConvertList: convert_list,
    commands.TranscribeRecordings: transcribe_recordings,
    commands.EditClip: edit_clip,
    commands.UndoEdit: undo_edit,
    commands.ReadWaveform: read_waveform,
    commands.PlaySound: play_sound,
    commands.StopSound: stop_sound,
}
