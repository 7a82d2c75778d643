"""The Settings screen: language, theme, charts, notifications, read-only mode, keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from textual import events
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget

from sovdeck.tui.screens.base.screen import AppScreen
from sovdeck.tui.shell import theme
from sovdeck.tui.shell.base_app import app_of
from sovdeck.tui.shell.settings import SETTING_CHOICES
from sovdeck.tui.state.state import State, Topics
from sovdeck.tui.text.i18n import translate_hint
from sovdeck.tui.widgets.option_stepper import OptionStepper
from sovdeck.tui.widgets.steady_text import SteadyText

SMOOTHINGS = ("0", "0.6", "0.9", "0.97")
OFF_ON = ("off", "on")
_ROWS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("language", "tui.settings_screen.language", SETTING_CHOICES["language"]),
    ("theme", "tui.settings_screen.theme", theme.THEME_NAMES),
    ("marker", "tui.settings_screen.marker", SETTING_CHOICES["marker"]),
    ("smoothing", "tui.settings_screen.smoothing", SMOOTHINGS),
    ("log_scale", "tui.settings_screen.log_scale", OFF_ON),
    ("notify", "tui.settings_screen.notify", SETTING_CHOICES["notify"]),
    ("play_takes", "tui.settings_screen.play_takes", OFF_ON),
    ("read_only", "tui.settings_screen.read_only", OFF_ON),
)


class SettingsScreen(AppScreen):
    """One row a setting; every change is saved at once."""

    TAB = "settings"
    TOPICS: ClassVar[tuple[str, ...]] = ()
    BINDINGS: ClassVar[list[Any]] = []
    CSS_PATH = "../styles/settings.tcss"

    def compose_body(self) -> Iterable[Widget]:
        with VerticalScroll(id="rows", can_focus=False):
            for name, key, choices in _ROWS:
                with Horizontal(classes="row"):
                    yield SteadyText(self.translate(key), classes="title")
                    value = self._value(name, choices)
                    yield OptionStepper(choices, value, labels=self._labels(name, choices), id=name)
                    yield SteadyText(translate_hint(self, key), classes="note")
            yield SteadyText(self.translate("tui.settings_screen.keys"), id="keys")
            yield SteadyText(self._file_text(), id="file")

    def _labels(self, name: str, choices: tuple[str, ...]) -> dict[str, str]:
        """Labels of the choices; numbers need none."""
        group = "switch" if choices == OFF_ON else name
        if group == "smoothing":
            return {}
        return {
            choice: self.translate(f"tui.settings_screen.{group}_{choice}") for choice in choices
        }

    def _value(self, name: str, choices: tuple[str, ...]) -> str:
        if name == "theme":
            return self.app.theme if self.app.theme in choices else choices[0]
        value = getattr(self.base_app.settings, name)
        if isinstance(value, bool):
            return OFF_ON[value]
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        return shown if shown in choices else choices[0]

    def _file_text(self) -> str:
        path = getattr(app_of(self), "settings_path", None)
        location = str(path) if path is not None else self.translate("tui.settings_screen.not_kept")
        return self.translate("tui.settings_screen.file", path=location)

    def show(self, state: State, topics: Topics | None) -> None:
        """Nothing: the screen shows settings, not the state."""

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        # What lies below the last row has no focus of its own: it comes into view with that row.
        if event.widget.id == _ROWS[-1][0]:
            self.query_one("#rows").scroll_end(animate=False)

    def on_option_stepper_changed(self, event: OptionStepper.Changed) -> None:
        name, value = str(event.stepper.id), event.value
        settings = self.base_app.settings
        choices = next(choices for row, _, choices in _ROWS if row == name)
        if value == self._value(name, choices):
            return
        if name == "theme":
            self.app.theme = value
        parsed: Any = value
        if choices == OFF_ON:
            parsed = value == "on"
        elif name == "smoothing":
            parsed = float(value)
        self.base_app.save_settings(settings.with_changes(**{name: parsed}))
        self.redraw_all()
