"""A text that is drawn anew only when it differs: most of what is watched stays as it is."""

from __future__ import annotations

from textual.content import Content
from textual.visual import VisualType
from textual.widgets import Static


class SteadyText(Static):
    """A `Static` whose `update` with what it shows already costs no layout and no paint."""

    def update(self, content: VisualType = "", *, layout: bool = True) -> None:
        """Show `content`, a text or a Content."""
        if not is_same_text(content, self.content):
            super().update(content, layout=layout)


def is_same_text(one: object, other: object) -> bool:
    """Whether two texts look the same. `==` of two Contents compares their letters alone."""
    if isinstance(one, Content) and isinstance(other, Content):
        return one.plain == other.plain and one.spans == other.spans
    return isinstance(one, str) and isinstance(other, str) and one == other
