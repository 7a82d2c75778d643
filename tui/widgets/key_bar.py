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
from sovdeck.tui.widgets.form_input import EditMode

LEAVE_FIELD = "screen.leave_field"
ENTER_FIELD = "screen.enter_field"
EDIT_FIELD = "field.edit_field"
END_EDIT = "field.end_edit"
_Key = tuple[ClickPart, ClickPart | None]  # with its title, and without where it may lose it
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
        # From Python 3.12 on this comes before the screen is the app's, which bindings ask for.
        self.call_later(self.redraw)

    def on_resize(self) -> None:
        self.redraw()

    def redraw(self) -> None:
        """Show as many keys as fit."""
        typing = is_typing(self.screen)
        own: list[_Key] = []
        everywhere: list[ClickPart] = []
        for key, action, enabled in sorted(self._footer_actions(), key=_kept_order):
            part = self._key_part(key, action, enabled)
            bare = self._key_part(key, action, enabled, bare=True) if _is_no_letter(key) else None
            if action.scope == "app":
                everywhere.append(part)
            elif action.id not in (LEAVE_FIELD, ENTER_FIELD, EDIT_FIELD, END_EDIT):
                own.append((part, bare))
            elif self._shows_field_key(action.id, typing):
                own.insert(0, (part, bare))
        # Help and the way out are kept when keys must be dropped: help lists the others.
        width = self.size.width or self.app.size.width
        kept = _parts_that_fit(everywhere[::-1], width if not own else width // 3)[::-1]
        self.show_parts(_fit_own(own, width - sum(map(_part_width, kept))) + kept)

    def _shows_field_key(self, action_id: str, typing: bool) -> bool:
        """Whether a way into or out of a text field is of use now; only one is shown."""
        on_field = isinstance(self.screen.focused, EditMode)
        if action_id == LEAVE_FIELD:
            return typing and not on_field
        if action_id == ENTER_FIELD:
            return not typing and not on_field and self._has_field()
        return typing == (action_id == END_EDIT)

    def _has_field(self) -> bool:
        """Whether the screen shows a text field to go into."""
        return any(field.display for field in self.screen.query("Input, TextArea"))

    def _key_part(
        self, key: str, action: Action, enabled: bool, *, bare: bool = False
    ) -> ClickPart:
        style = "bold $footer-key-foreground" if enabled else "dim"
        title = "" if bare else f"{translate_text(self, action.title)} "
        content = Content.assemble(
            (f" {key_name(key)} ", style), (title, "$foreground" if enabled else "dim")
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


def _is_no_letter(key: str) -> bool:
    """Whether a key is one that nobody finds by trying: a function key or one with Ctrl."""
    return key.startswith("ctrl+") or (key[:1] == "f" and key[1:].isdigit())


def _fit_own(keys: list[_Key], width: int) -> list[ClickPart]:
    """As many of `keys` as fit into `width` cells; function keys lose their title, not their place.

    A function key is at least named, so that help can be asked about it.
    """
    later = sum(_part_width(bare) for _, bare in keys if bare is not None)
    shown: list[ClickPart] = []
    for part, bare in keys:
        later -= _part_width(bare) if bare is not None else 0
        fitting = [one for one in (part, bare) if one is not None]
        chosen = next((one for one in fitting if _part_width(one) + later <= width), None)
        if chosen is not None:
            shown.append(chosen)
            width -= _part_width(chosen)
    return shown


def _part_width(part: ClickPart) -> int:
    return part.content.cell_length


def _parts_that_fit(parts: list[ClickPart], width: int) -> list[ClickPart]:
    """The first of `parts` that fit into `width` cells."""
    ends = accumulate(map(_part_width, parts))
    return [part for part, end in zip(parts, ends, strict=True) if end <= width]
