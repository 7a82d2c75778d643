"""How the wishes of the Dataset room are granted, and every wish to hear something."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tui.services.protocols import Cancel, Emit
from tui.state import wishes
from tui.state.events import PlaybackChanged

if TYPE_CHECKING:
    from tui.controller import Controller

SOUND_LOOK_S = 0.2


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


def play_sound(controller: Controller, wish: wishes.PlaySound) -> None:
    player = controller.services.player

    def play(emit: Emit, cancel: Cancel) -> None:
        if cancel.is_set():  # the next file was asked for before this thread came up
            return
        player.play(wish.path)
        emit(PlaybackChanged(wish.path))
        while player.playing is not None and not cancel.wait(SOUND_LOOK_S):
            pass
        emit(PlaybackChanged(None))

    controller.jobs.run("sound", play)


def stop_sound(controller: Controller, wish: wishes.StopSound) -> None:
    def stop(emit: Emit, cancel: Cancel) -> None:
        controller.services.player.stop()
        emit(PlaybackChanged(None))

    controller.jobs.run("sound", stop)


DATASET_GRANTS: dict[type, Callable[[Controller, Any], None]] = {
    wishes.CheckDataset: check_dataset,
    wishes.EditClip: edit_clip,
    wishes.UndoEdit: undo_edit,
    wishes.PlaySound: play_sound,
    wishes.StopSound: stop_sound,
}
