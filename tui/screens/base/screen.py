"""The base of all full screens: tabs above, key bar below, redrawn when the state changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.widget import Widget

from sovdeck.tui.screens.base.composed_screen import ComposedScreen
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.shell.base_app import BaseApp, app_of
from sovdeck.tui.shell.messages import CommandPosted
from sovdeck.tui.state.commands import Command
from sovdeck.tui.state.state import State, Topics
from sovdeck.tui.text.i18n import translate
from sovdeck.tui.widgets.form_input import EditMode
from sovdeck.tui.widgets.key_bar import KeyBar
from sovdeck.tui.widgets.top_bar import TopBar

# Topics of the top bar, which every screen has.
_CHROME_TOPICS = ("servers", "transfers", "ages", "chosen")


class AppScreen(ComposedScreen[None]):
    """A screen draws the state in `show`; TOPICS are the prefixes of topics it draws.

    TAB is the tab that is lit, SCOPE the scope of its actions; without one it is the tab's.
    """

    TAB: ClassVar[str] = ""
    SCOPE: ClassVar[str] = ""
    TOPICS: ClassVar[tuple[str, ...]] = ()

    BINDINGS = bindings("screen")

    def compose(self) -> ComposeResult:
        self.note_language()
        yield TopBar(self.TAB)
        yield from self.compose_body()
        yield KeyBar()

    def compose_body(self) -> Iterable[Widget]:
        """The widgets between the tabs and the key bar."""
        raise NotImplementedError

    def show(self, state: State, topics: Topics | None) -> None:
        """Draw the state; `topics` None means that everything may have changed."""
        raise NotImplementedError

    @property
    def scope(self) -> str:
        """The scope of this screen's actions: what its help and the palette list."""
        return self.SCOPE or self.TAB

    @property
    def base_app(self) -> BaseApp:
        """The app, typed with what screens may use of it."""
        return app_of(self)

    def translate(self, key: str, /, **facts: object) -> str:
        """The sentence of a catalogue key in the app's language."""
        return translate(self, key, **facts)

    def post_command(self, command: Command) -> None:
        """Ask the controller to handle a command."""
        self.post_message(CommandPosted(command))

    def on_screen_resume(self) -> None:
        self.redraw_all()

    def redraw_all(self) -> None:
        """Draw everything anew from the state."""
        self._show_chrome()
        self.show(self.base_app.state, None)

    async def recompose(self) -> None:
        """Compose anew, and draw the state into the new widgets."""
        await super().recompose()
        if self.is_attached and self in self.app.screen_stack:
            self.redraw_all()

    def redraw_changed(self, topics: Topics) -> None:
        """Draw what `topics` concern."""
        if any(topic in _CHROME_TOPICS for topic in topics):
            self._show_chrome()
        if any(topic.split(":")[0] in self.TOPICS for topic in topics):
            self.show(self.base_app.state, topics)

    def _show_chrome(self) -> None:
        self.query_one(TopBar).show(self.base_app.state, self.base_app.settings.read_only)

    def action_leave_field(self) -> None:
        """Take the focus off a text field, so that letters and numbers are keys again."""
        self.set_focus(None)

    def action_enter_field(self) -> None:
        """Move the focus on; from nowhere it goes into the first field, to be edited at once."""
        from_nowhere = self.focused is None
        field = self.focus_next()
        if from_nowhere and isinstance(field, EditMode):
            field.editing = True

    def action_press(self, key: str) -> None:
        self.app.simulate_key(key)
