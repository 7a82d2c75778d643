"""A modal that is shown the state as it changes, like the screens below it."""

from __future__ import annotations

from typing import TypeVar

from textual.screen import ModalScreen

from tui.state.state import State

Result = TypeVar("Result")


class WatchingModal(ModalScreen[Result | None]):
    """The app calls `show` whenever something in the state changed; None is no answer."""

    def show(self, state: State) -> None:
        raise NotImplementedError
