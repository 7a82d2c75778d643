"""The last row: the keys of this screen, in the screen's language; each can be clicked."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.keys import format_key
from textual.widgets import Static

from tui.actions import BY_ID, Action
from tui.language import tell

_NAMES = {
    "question_mark": "?", "slash": "/", "right_square_bracket": "]", "left_square_bracket": "[",
    "plus": "+", "minus": "-", "equals_sign": "=", "delete": "Del", "enter": "⏎",
    "escape": "Esc", "left": "←", "right": "→",
}  # fmt: skip


def key_name(key: str) -> str:
    """A key as people write it: ctrl+x is ^x."""
    if key.startswith("ctrl+"):
        return f"^{key[5:]}"
    return _NAMES.get(key, format_key(key))


class KeyBar(Static):
    """Reads the screen's active bindings, so a keymap or a disabled action shows at once."""

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; background: $panel; color: $text-muted;
        link-style: none; link-color: $text-muted; link-style-hover: bold;
        link-background-hover: $primary 30%; }
    """

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.redraw())
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def redraw(self) -> None:
        room = self.size.width or self.app.size.width
        parts = []
        for key, action, enabled in self._shown():
            title = tell(self, action.title)
            name = key_name(key)
            room -= cell_len(name) + cell_len(title) + 3
            if room < 0:
                break
            look = "dim" if not enabled else "bold $footer-key-foreground"
            part = Content.assemble((f" {name} ", look), (title, "dim" if not enabled else ""))
            parts.append(part.stylize_before(f"@click=screen.press('{key}')") if enabled else part)
        self.update(Content(" ").join(parts))

    def _shown(self) -> list[tuple[str, Action, bool]]:
        shown: list[tuple[str, Action, bool]] = []
        seen: set[str] = set()
        bindings = self.screen.active_bindings
        for scope in ("", "app."):  # the screen's own keys first
            for key, (_, binding, enabled, _) in bindings.items():
                action = BY_ID.get(binding.id or "")
                if action is None or not action.footer or action.id in seen:
                    continue
                if (action.scope == "app") == bool(scope):
                    seen.add(action.id)
                    shown.append((key, action, enabled))
        return shown
