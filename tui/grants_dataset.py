"""How the wishes of the Dataset room are granted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tui.state import wishes

if TYPE_CHECKING:
    from tui.controller import Controller


def check_dataset(controller: Controller, wish: wishes.CheckDataset) -> None:
    datasets = controller.services.datasets
    controller.jobs.run("dataset", lambda emit, cancel: datasets.check(wish.folder, emit, cancel))


def edit_clip(controller: Controller, wish: wishes.EditClip) -> None:
    datasets = controller.services.datasets
    controller.jobs.run(
        "dataset", lambda emit, cancel: datasets.edit(wish.folder, wish.edit, emit, cancel)
    )


def undo_edit(controller: Controller, wish: wishes.UndoEdit) -> None:
    datasets = controller.services.datasets
    controller.jobs.run("dataset", lambda emit, cancel: datasets.undo(wish.folder, emit, cancel))


def outline_clip(controller: Controller, wish: wishes.OutlineClip) -> None:
    datasets = controller.services.datasets
    controller.jobs.run("outline", lambda emit, cancel: datasets.outline(wish.wav, emit, cancel))


def play_sound(controller: Controller, wish: wishes.PlaySound) -> None:
    controller.sound.play(wish.path, unasked=wish.unasked, veil=wish.veil)


def stop_sound(controller: Controller, wish: wishes.StopSound) -> None:
    controller.sound.stop()


DATASET_GRANTS: dict[type, Callable[[Controller, Any], None]] = {
    wishes.CheckDataset: check_dataset,
    wishes.EditClip: edit_clip,
    wishes.UndoEdit: undo_edit,
    wishes.OutlineClip: outline_clip,
    wishes.PlaySound: play_sound,
    wishes.StopSound: stop_sound,
}
