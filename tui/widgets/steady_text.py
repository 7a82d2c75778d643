"""A text that is drawn anew only when it differs: most of what is watched stays as it is."""

from __future__ import annotations

from rich.text import Text
from textual.content import Content
from textual.visual import VisualType
from textual.widgets import Static


class SteadyText(Static):
    """The dashboard's `Static`: a str is letters, and showing the same again costs nothing.

    Textual would read a str as markup, so a name of a server could style, link or fail.
    """

    def __init__(
        self, content: VisualType = "", *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(content, markup=False, id=id, classes=classes)

    def update(self, content: VisualType = "", *, layout: bool = True) -> None:
        """Show `content`, a text or a Content; nothing is done where it is shown already."""
        if not is_same_text(content, self.content):
            super().update(content, layout=layout)


def is_same_text(one: object, other: object) -> bool:
    """Whether two texts look the same. `==` of two Contents compares their letters alone."""
    look = _letters_and_styles(one)
    return look is not None and look == _letters_and_styles(other)


def _letters_and_styles(text: object) -> tuple[str, object] | None:
    if isinstance(text, Content | Text):
        return text.plain, text.spans
    return (text, []) if isinstance(text, str) else None
