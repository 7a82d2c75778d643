"""The last row of a screen: its keys, each clickable."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from textual.app import App
from textual.content import Content
from textual.keys import format_key
from textual.screen import Screen

from sovdeck.tui.shell.actions import ACTIONS_BY_ID, Action
from sovdeck.tui.text.i18n import translate_text
from sovdeck.tui.widgets.click_row import ClickPart, ClickRow

LEAVE_FIELD = "screen.leave_field"
ENTER_FIELD = "screen.enter_field"
_KEPT_LAST = ("app.palette", "app.quit", "app.help")
_KEY_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "right_square_bracket": "]",
    "left_square_bracket": "[",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
    "delete": "Del",
    "enter": "⏎",
    "escape": "Esc",
    "tab": "Tab",
    "left": "←",
    "right": "→",
    "space": "Space",
}


def key_name(key: str) -> str:
    """A key as people write it: ctrl+x is ^x, f1 is F1."""
    if key.startswith("ctrl+"):
        return f"^{key[5:]}"
    if key[:1] == "f" and key[1:].isdigit():
        return key.upper()
    return _KEY_NAMES.get(key, format_key(key))


def keys_of(app: App[Any], action: Action) -> list[str]:
    """The keys of an action, after the user's keymap."""
    return [key_name(key) for key in app._keymap.get(action.id, action.keys).split(",")]


def is_typing(screen: Screen[Any]) -> bool:
    """Whether a text field has the focus, so that letters and numbers go into it."""
    focused = screen.focused
    return focused is not None and focused.check_consume_key("a", "a")


class KeyBar(ClickRow):
    """Shows the screen's active bindings, so a keymap or a disabled action shows at once."""

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; background: $panel; color: $faint; }
    """

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.redraw())
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def redraw(self) -> None:
        """Show as many keys as fit."""
        typing = is_typing(self.screen)
        own: list[ClickPart] = []
        everywhere: list[ClickPart] = []
        for key, action, enabled in sorted(self._footer_actions(), key=_kept_order):
            group = everywhere if action.scope == "app" else own
            if action.id not in (LEAVE_FIELD, ENTER_FIELD):
                group.append(self._key_part(key, action, enabled))
            elif typing if action.id == LEAVE_FIELD else not typing and self._has_field():
                group.insert(0, self._key_part(key, action, enabled))
        # Help and the way out are kept when keys must be dropped: help lists the others.
        width = self.size.width or self.app.size.width
        kept = _parts_that_fit(everywhere[::-1], width if not own else width // 3)[::-1]
        self.show_parts(_parts_that_fit(own, width - sum(map(_part_width, kept))) + kept)

    def _has_field(self) -> bool:
        """Whether the screen shows a text field to go into."""
        return any(field.display for field in self.screen.query("Input, TextArea"))

    def _key_part(self, key: str, action: Action, enabled: bool) -> ClickPart:
        style = "bold $footer-key-foreground" if enabled else "dim"
        content = Content.assemble(
            (f" {key_name(key)} ", style),
            (f"{translate_text(self, action.title)} ", "$foreground" if enabled else "dim"),
        )
        return ClickPart(content, f"screen.press('{key}')", translate_text(self, action.help))

    def _footer_actions(self) -> Iterator[tuple[str, Action, bool]]:
        """The screen's own keys first, then the app's; each action once."""
        seen: set[str] = set()
        bindings = self.screen.active_bindings
        for everywhere in (False, True):
            for key, (_, binding, enabled, _) in bindings.items():
                action = ACTIONS_BY_ID.get(binding.id or "")
                if action is None or not action.footer or action.id in seen:
                    continue
                if (action.scope == "app") == everywhere:
                    seen.add(action.id)
                    yield key, action, enabled


def _kept_order(row: tuple[str, Action, bool]) -> int:
    """The order of the keys that work everywhere, the last the most worth keeping."""
    id_ = row[1].id
    return _KEPT_LAST.index(id_) + 1 if id_ in _KEPT_LAST else 0


def _part_width(part: ClickPart) -> int:
    return part.content.cell_length


def _parts_that_fit(parts: list[ClickPart], width: int) -> list[ClickPart]:
    """The first of `parts` that fit into `width` cells."""
    ends = accumulate(map(_part_width, parts))
    return [part for part, end in zip(parts, ends, strict=True) if end <= width]
