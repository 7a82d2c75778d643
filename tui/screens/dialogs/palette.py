"""The command palette: Textual's, in our language, and not ended by keys pressed too soon."""

from __future__ import annotations

from textual.command import CommandPalette

from sovdeck.tui.screens.base.composed_screen import ComposedScreen


class PaletteScreen(CommandPalette, ComposedScreen[None]):  # CSS types follow the first base
    """Lists the actions of `App.get_system_commands`."""

    keeps_language = True

    def _action_command_list(self, action: str) -> None:
        # Textual pages through lines that it has not laid out yet.
        try:
            super()._action_command_list(action)
        except KeyError:
            self.log(f"{action}: the list is not laid out yet")
