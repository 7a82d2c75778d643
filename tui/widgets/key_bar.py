"""The last row: the keys of this screen, in the screen's language; each can be clicked."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from textual.app import App
from textual.content import Content
from textual.keys import format_key

from tui.actions import BY_ID, Action
from tui.language import tell
from tui.widgets.click_row import ClickRow, Part

LEAVE_FIELD = "room.leave_field"
_NAMES = {
    "question_mark": "?", "slash": "/", "right_square_bracket": "]", "left_square_bracket": "[",
    "plus": "+", "minus": "-", "equals_sign": "=", "delete": "Del", "enter": "⏎",
    "escape": "Esc", "left": "←", "right": "→", "space": "Space",
}  # fmt: skip


def key_name(key: str) -> str:
    """A key as people write it: ctrl+x is ^x, f1 is F1."""
    if key.startswith("ctrl+"):
        return f"^{key[5:]}"
    if key[:1] == "f" and key[1:].isdigit():
        return key.upper()
    return _NAMES.get(key, format_key(key))


def keys_of(app: App[Any], action: Action) -> list[str]:
    """The keys of an action as people write them, after the person's keymap."""
    return [key_name(key) for key in app._keymap.get(action.id, action.keys).split(",")]


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
        focused = self.screen.focused
        typing = focused is not None and focused.check_consume_key("a", "a")
        own: list[Part] = []
        everywhere: list[Part] = []
        for key, action, enabled in self._shown():
            group = everywhere if action.scope == "app" else own
            if action.id != LEAVE_FIELD:
                group.append(self._part(key, action, enabled))
            elif typing:
                group.insert(0, self._part(key, action, enabled))
        # The way to help is never what falls off the end: its own keys find the rest there.
        room = self.size.width or self.app.size.width
        kept = _fitting(everywhere[::-1], room if not own else room // 3)[::-1]
        self.show_parts(_fitting(own, room - sum(map(_width, kept))) + kept)

    def _part(self, key: str, action: Action, enabled: bool) -> Part:
        look = "bold $footer-key-foreground" if enabled else "dim"
        content = Content.assemble(
            (f" {key_name(key)} ", look),
            (f"{tell(self, action.title)} ", "$foreground" if enabled else "dim"),
        )
        return Part(content, f"screen.press('{key}')", tell(self, action.help))

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


def _width(part: Part) -> int:
    return part.content.cell_length


def _fitting(parts: list[Part], room: int) -> list[Part]:
    """The first of `parts` that fit."""
    ends = accumulate(map(_width, parts))
    return [part for part, end in zip(parts, ends, strict=True) if end <= room]
