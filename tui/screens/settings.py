"""Taste: language, colours, chart marks, smoothing, notifications, read-only, keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from tui import theme
from tui.deck import deck_of
from tui.language import say_hint
from tui.screens.deck_screen import DeckScreen
from tui.settings import CHOICES
from tui.state.state import State, Topics
from tui.widgets.choice import Choice

SMOOTHINGS = ("0", "0.6", "0.9", "0.97")
SWITCH = ("off", "on")
_ROWS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("language", "tui.taste.language", CHOICES["language"]),
    ("theme", "tui.taste.theme", theme.NAMES),
    ("marker", "tui.taste.marker", CHOICES["marker"]),
    ("smoothing", "tui.taste.smoothing", SMOOTHINGS),
    ("log_scale", "tui.taste.log_scale", SWITCH),
    ("notify", "tui.taste.notify", CHOICES["notify"]),
    ("play_takes", "tui.taste.play_takes", SWITCH),
    ("read_only", "tui.taste.read_only", SWITCH),
)


class SettingsScreen(DeckScreen):
    TAB = "settings"
    TOPICS: ClassVar[tuple[str, ...]] = ()
    BINDINGS: ClassVar[list[Any]] = []
    CSS_PATH = "../styles/settings.tcss"

    def body(self) -> Iterable[Widget]:
        with VerticalScroll(id="rows", can_focus=False):
            for name, words, choices in _ROWS:
                with Horizontal(classes="row"):
                    yield Static(self.say(words), classes="title")
                    value = self._value(name, choices)
                    yield Choice(choices, value, labels=self._labels(name, choices), id=name)
                    yield Static(say_hint(self, words), classes="note")
            yield Static(self.say("tui.taste.keys"), id="keys", markup=False)
            yield Static(self._file(), id="file", markup=False)

    def _labels(self, name: str, choices: tuple[str, ...]) -> dict[str, str]:
        """Words for what is chosen; names of themes and marks speak for themselves."""
        group = "switch" if choices == SWITCH else name
        if group not in ("switch", "language", "notify"):
            return {}
        return {choice: self.say(f"tui.taste.{group}_{choice}") for choice in choices}

    def _value(self, name: str, choices: tuple[str, ...]) -> str:
        if name == "theme":
            return self.app.theme if self.app.theme in choices else choices[0]
        value = getattr(self.deck.settings, name)
        if isinstance(value, bool):
            return SWITCH[value]
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        return shown if shown in choices else choices[0]

    def _file(self) -> str:
        path = getattr(deck_of(self), "settings_path", None)
        where = str(path) if path is not None else self.say("tui.taste.not_kept")
        return self.say("tui.taste.file", path=where)

    def show(self, state: State, topics: Topics | None) -> None:
        """Nothing remote is on this screen."""

    def on_choice_changed(self, event: Choice.Changed) -> None:
        name, value = str(event.choice.id), event.value
        settings = self.deck.settings
        choices = next(choices for row, _, choices in _ROWS if row == name)
        if value == self._value(name, choices):
            return
        if name == "theme":
            self.app.theme = value
        taken: Any = value
        if choices == SWITCH:
            taken = value == "on"
        elif name == "smoothing":
            taken = float(value)
        self.deck.keep(settings.with_(**{name: taken}))
        self.show_all()
