"""A button whose label is letters: Textual would read a str as markup."""

from __future__ import annotations

from textual.content import Content, ContentText
from textual.widgets import Button
from textual.widgets.button import ButtonVariant


class PlainButton(Button):
    """The dashboard's `Button`."""

    def __init__(
        self,
        label: str,
        *,
        variant: ButtonVariant = "default",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(Content(label), variant, id=id, classes=classes)

    def validate_label(self, label: ContentText) -> Content:
        return Content.from_text(label, markup=False)
