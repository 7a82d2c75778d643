"""The last row: the keys of this screen, in the screen's language; each can be clicked."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len
from textual.content import Content
from textual.keys import format_key

from tui.actions import BY_ID, Action
from tui.language import tell
from tui.widgets.click_row import ClickRow, Part

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


class KeyBar(ClickRow):
    """Reads the screen's active bindings, so a keymap or a disabled action shows at once."""

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; background: $panel; color: $faint; }
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
            look = "bold $footer-key-foreground" if enabled else "dim"
            content = Content.assemble(
                (f" {name} ", look), (f"{title} ", "$foreground" if enabled else "dim")
            )
            parts.append(Part(content, f"screen.press('{key}')", tell(self, action.help)))
        self.show_parts(parts)

    def _shown(self) -> Iterator[tuple[str, Action, bool]]:
        """The screen's own keys first, each action once."""
        seen: set[str] = set()
        bindings = self.screen.active_bindings
        for everywhere in (False, True):
            for key, (_, binding, enabled, _) in bindings.items():
                action = BY_ID.get(binding.id or "")
                if action is None or not action.footer or action.id in seen:
                    continue
                if (action.scope == "app") == everywhere:
                    seen.add(action.id)
                    yield key, action, enabled
