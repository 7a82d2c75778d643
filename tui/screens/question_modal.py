"""A modal that asks something, and goes when nobody waits for the answer any more."""

from __future__ import annotations

from typing import TypeVar

from textual.screen import ModalScreen

Answer = TypeVar("Answer")


class QuestionModal(ModalScreen[Answer | None]):
    """Dismissed with the answer; None is no answer."""

    _withdrawn = False

    def withdraw(self) -> None:
        """Leave, at once or as soon as what lies on top has gone."""
        self._withdrawn = True
        self._leave()

    def on_screen_resume(self) -> None:
        self._leave()

    def _leave(self) -> None:
        # Not `is_current`, which counts what shows through below another modal.
        if self._withdrawn and self.app.screen is self:
            self._withdrawn = False
            self.dismiss(None)
