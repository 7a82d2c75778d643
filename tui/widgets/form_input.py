"""Text fields of a form: with the focus on one, number keys still switch screens, until Enter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Input, TextArea

from sovdeck.tui.shell.actions import bindings

if TYPE_CHECKING:
    from textual.widget import Widget

    _Base = Widget
else:
    # No widget: Textual takes the styles of a class from its first base that is one.
    _Base = object


class EditMode(_Base):
    """Enter or a click begins to edit, Escape ends it; only then letters are typed.

    It comes before the text widget among the bases of a class.
    """

    editing = reactive(False)

    class Left(Message):
        """Escape ended the edit of a field."""

        def __init__(self, field: EditMode) -> None:
            super().__init__()
            self.field = field

    def watch_editing(self) -> None:
        """Let the bars above and below say which keys are typed."""
        self.set_class(self.editing, "-editing")
        self.refresh_bindings()

    def check_consume_key(self, key: str, character: str | None = None) -> bool:
        """Whether a key is typed into the field."""
        return self.editing and super().check_consume_key(key, character)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether a key works: of a field that is not edited, only the one that begins it."""
        return self.editing or action == "edit"

    async def _on_key(self, event: events.Key) -> None:
        if not self.editing and (event.is_printable or event.key == "enter"):
            event.prevent_default()  # a key of the screen or of `edit`: it goes on from here

    def on_paste(self, event: events.Paste) -> None:
        self.editing = True

    async def _on_click(self, event: events.Click) -> None:
        self.editing = True

    def _on_blur(self, event: events.Blur) -> None:
        self.editing = False

    def begin_edit(self) -> None:
        """Take the focus and begin to edit."""
        self.screen.set_focus(self)  # at once, so that the next key is typed into it
        self.editing = True

    async def action_edit(self) -> None:
        self.editing = True

    def action_end_edit(self) -> None:
        self.editing = False
        self.post_message(self.Left(self))


class FormInput(EditMode, Input):
    """One line; Enter ends the edit and hands over what was typed."""

    BINDINGS = bindings("field")

    async def action_edit(self) -> None:
        """Begin to edit; the second time hand over what was typed."""
        if self.editing:
            await self.action_submit()
        self.editing = not self.editing


class FormText(EditMode, TextArea):
    """Several lines: while it is edited, Enter begins a new one."""

    BINDINGS = bindings("field")

    def on_mount(self) -> None:
        self.show_cursor = self.editing

    def watch_editing(self) -> None:
        """Show a cursor only where letters are typed."""
        super().watch_editing()
        self.show_cursor = self.editing
