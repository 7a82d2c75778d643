"""A text field of a form: with the focus on it number keys still switch screens, until Enter."""

from __future__ import annotations

from textual import events
from textual.reactive import reactive
from textual.widgets import Input

from sovdeck.tui.shell.actions import bindings


class FormInput(Input):
    """Enter or a click begins to edit, Enter or Escape ends it; only then letters are typed."""

    BINDINGS = bindings("field")

    editing = reactive(False)

    def watch_editing(self) -> None:
        """Let the bars above and below say which keys are typed."""
        self.set_class(self.editing, "-editing")
        self.refresh_bindings()

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Whether a key is typed into the field."""
        return self.editing and super().check_consume_key(key, character)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether a key works: of a field that is not edited, only the one that begins it."""
        return self.editing or action == "edit"

    async def _on_key(self, event: events.Key) -> None:
        if not self.editing and event.is_printable:
            event.prevent_default()  # a key of the screen: it goes on from here

    def _on_paste(self, event: events.Paste) -> None:
        self.editing = True

    def _on_click(self, event: events.Click) -> None:
        self.editing = True

    def _on_blur(self, event: events.Blur) -> None:
        self.editing = False

    def edit(self) -> None:
        """Take the focus and begin to edit."""
        self.focus()
        self.editing = True

    async def action_edit(self) -> None:
        """Begin to edit; the second time hand over what was typed."""
        if self.editing:
            await self.action_submit()
        self.editing = not self.editing

    def action_end_edit(self) -> None:
        self.editing = False
