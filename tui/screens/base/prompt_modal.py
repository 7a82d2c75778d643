"""A modal that asks something and can be cancelled while it is covered."""

from __future__ import annotations

from typing import Generic, TypeVar

from sovdeck.tui.screens.base.composed_screen import Dialog

Answer = TypeVar("Answer")


class PromptModal(Dialog[Answer | None], Generic[Answer]):
    """Dismissed with the answer; None when the prompt was cancelled or left."""

    _cancelled = False

    def cancel_prompt(self) -> None:
        """Dismiss the modal now, or as soon as the modal on top of it has closed."""
        self._cancelled = True
        self.run_when_whole(self._dismiss_if_cancelled)

    def on_screen_resume(self) -> None:
        self._dismiss_if_cancelled()

    def _dismiss_if_cancelled(self) -> None:
        # Not `is_current`: that is also true for a screen seen below another modal.
        if self._cancelled and self.app.screen is self:
            self._cancelled = False
            self.dismiss(None)
