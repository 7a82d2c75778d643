"""What all full screens share: tabs above, keys below, and being shown the state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget

from tui.actions import bindings
from tui.deck import Deck, deck_of
from tui.language import say
from tui.messages import Asked
from tui.state.state import State, Topics
from tui.state.wishes import Wish
from tui.widgets.key_bar import KeyBar
from tui.widgets.top_bar import TopBar

# Every screen shows these: the top bar speaks of servers, transfers and ages.
_CHROME = ("servers", "transfers", "ages", "chosen")


class DeckScreen(Screen[None]):
    """A screen draws `state` in `show`; TOPICS are the topic beginnings it cares about."""

    TAB: ClassVar[str] = ""
    TOPICS: ClassVar[tuple[str, ...]] = ()

    BINDINGS = bindings("room")

    def compose(self) -> ComposeResult:
        yield TopBar(self.TAB)
        yield from self.body()
        yield KeyBar()

    def body(self) -> Iterable[Widget]:
        raise NotImplementedError

    def show(self, state: State, topics: Topics | None) -> None:
        """Draw the state; `topics` None means everything may have changed."""
        raise NotImplementedError

    @property
    def deck(self) -> Deck:
        return deck_of(self)

    def say(self, key: str, /, **facts: object) -> str:
        return say(self, key, **facts)

    def ask(self, wish: Wish) -> None:
        self.post_message(Asked(wish))

    def on_screen_resume(self) -> None:
        self.show_all()

    def show_all(self) -> None:
        self._show_chrome()
        self.show(self.deck.state, None)

    async def recompose(self) -> None:
        """Made anew, as for another language: the new widgets know nothing yet."""
        await super().recompose()
        if self in self.app.screen_stack:
            self.show_all()

    def changed(self, topics: Topics) -> None:
        """Called by the app when topics changed and this screen can be seen."""
        if any(topic in _CHROME for topic in topics):
            self._show_chrome()
        if any(topic.split(":")[0] in self.TOPICS for topic in topics):
            self.show(self.deck.state, topics)

    def _show_chrome(self) -> None:
        self.query_one(TopBar).show(self.deck.state, self.deck.settings.read_only)

    def action_leave_field(self) -> None:
        """Out of a text field, so that letters and numbers are keys again."""
        self.set_focus(None)

    def action_press(self, key: str) -> None:
        self.app.simulate_key(key)
