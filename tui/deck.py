"""What screens may know of the app: state, language, settings, and how to ask for things."""

from __future__ import annotations

from textual.app import App
from textual.message_pump import MessagePump
from textual.reactive import reactive

from engine.contract.catalogue import Language
from tui.services.protocols import ParsedLine
from tui.settings import Settings
from tui.state.state import State
from tui.state.store import Store
from tui.state.work import RunEnd, TrainDraft


class Deck(App[None]):
    """Base of SovdeckApp; screens depend on this, so that app and screens do not on each other."""

    language: reactive[Language] = reactive[Language]("en", init=False)

    def __init__(self, store: Store, settings: Settings) -> None:
        super().__init__()
        self.store = store
        self.settings = settings
        self.draft: TrainDraft | None = None  # what deploy.toml asks of a run

    @property
    def state(self) -> State:
        return self.store.state

    def keep(self, settings: Settings) -> None:
        """Take new settings and remember them."""
        raise NotImplementedError

    def copy(self, words: str) -> None:
        """Put `words` on the person's clipboard and say so."""
        raise NotImplementedError

    def spread(self, end: RunEnd) -> None:
        """Tell people elsewhere that a run ended."""
        raise NotImplementedError

    def read_line(self, line: str) -> ParsedLine:
        """What a pasted ssh line means; Problem when it cannot be read. No network."""
        raise NotImplementedError


def deck_of(node: MessagePump) -> Deck:
    app = node.app
    assert isinstance(app, Deck)
    return app
