"""How the wishes of the Dataset room are granted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tui.desk import Desk
from tui.state import wishes


def check_dataset(desk: Desk, wish: wishes.CheckDataset) -> None:
    datasets = desk.services.datasets
    desk.jobs.run("dataset", lambda emit, cancel: datasets.check(wish.folder, emit, cancel))


def edit_clip(desk: Desk, wish: wishes.EditClip) -> None:
    datasets = desk.services.datasets
    desk.jobs.run(
        "dataset", lambda emit, cancel: datasets.edit(wish.folder, wish.edit, emit, cancel)
    )


def undo_edit(desk: Desk, wish: wishes.UndoEdit) -> None:
    datasets = desk.services.datasets
    desk.jobs.run("dataset", lambda emit, cancel: datasets.undo(wish.folder, emit, cancel))


def outline_clip(desk: Desk, wish: wishes.OutlineClip) -> None:
    datasets = desk.services.datasets
    desk.jobs.run("outline", lambda emit, cancel: datasets.outline(wish.wav, emit, cancel))


def play_sound(desk: Desk, wish: wishes.PlaySound) -> None:
    desk.sound.play(wish.path, unasked=wish.unasked, veil=wish.veil)


def stop_sound(desk: Desk, wish: wishes.StopSound) -> None:
    desk.sound.stop()


DATASET_GRANTS: dict[type, Callable[[Desk, Any], None]] = {
    wishes.CheckDataset: check_dataset,
    wishes.EditClip: edit_clip,
    wishes.UndoEdit: undo_edit,
    wishes.OutlineClip: outline_clip,
    wishes.PlaySound: play_sound,
    wishes.StopSound: stop_sound,
}
