"""What screens may know of the app: state, language, settings, and a few services."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import App
from textual.filter import LineFilter
from textual.message_pump import MessagePump
from textual.reactive import reactive

from sovdeck.engine.contract.catalogue import Language
from sovdeck.tui.shell.reliable_timers import ReliableTimers
from sovdeck.tui.shell.screen_filter import ControlCharacterFilter
from sovdeck.tui.shell.settings import DashboardSettings
from sovdeck.tui.state.models import RunEnd, TrainDraft
from sovdeck.tui.state.server_models import ParsedSSHLine
from sovdeck.tui.state.state import State
from sovdeck.tui.state.store import Store
from sovdeck.tui.text.line_breaks import break_between_ideographs


class BaseApp(ReliableTimers, App[None]):
    """Base of SovdeckApp; screens depend on this, so that app and screens do not on each other."""

    language: reactive[Language] = reactive[Language]("en", init=False)

    def __init__(self, store: Store, settings: DashboardSettings) -> None:
        super().__init__()
        break_between_ideographs()
        self._control_filter = ControlCharacterFilter()
        self.store = store
        self.settings = settings
        self.default_draft: TrainDraft | None = None  # what deploy.toml asks of a run

    @property
    def state(self) -> State:
        """The current state of the store."""
        return self.store.state

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What every painted line passes; ours last, so that nothing comes after it."""
        return [*super().get_line_filters(), self._control_filter]

    async def run_held(self) -> None:
        """Do what waited for the screen on top to be composed."""
        raise NotImplementedError

    def save_settings(self, settings: DashboardSettings) -> None:
        """Use new settings and write them to the settings file."""
        raise NotImplementedError

    def copy_text(self, text: str) -> None:
        """Put `text` on the clipboard and show a toast."""
        raise NotImplementedError

    def notify_run_ended(self, end: RunEnd) -> None:
        """Send the notifications of [notify] that a run has ended."""
        raise NotImplementedError

    def parse_ssh_line(self, line: str) -> ParsedSSHLine:
        """Read a pasted ssh line; Problem when it cannot be read. No network."""
        raise NotImplementedError


def app_of(node: MessagePump) -> BaseApp:
    """The app that `node` belongs to."""
    app = node.app
    assert isinstance(app, BaseApp)
    return app
