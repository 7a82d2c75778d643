"""What an empty screen shows: why it is empty and which key to press."""

from __future__ import annotations

from textual.content import Content

from sovdeck.tui.state.server_models import Remark
from sovdeck.tui.text.i18n import translate, translate_hint, translate_text
from sovdeck.tui.widgets.steady_text import SteadyText


class EmptyState(SteadyText):
    """A centred sentence of the catalogue with its hint below."""

    DEFAULT_CSS = """
    EmptyState {
        width: 1fr; height: 1fr; padding: 0 4;
        content-align: center middle; text-align: center;
    }
    """

    def __init__(self, text_key: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.text_key = text_key

    def on_mount(self) -> None:
        self.show(self.text_key)

    def show_remark(self, remark: Remark) -> None:
        """Show what came from elsewhere, with what to do below."""
        said = translate_text(self, remark.text), translate_text(self, remark.hint)
        self.update(Content.assemble((said[0], "bold $warning"), "\n\n", (said[1], "$faint")))

    def show(self, text_key: str, **facts: object) -> None:
        """Show another sentence."""
        self.update(
            Content.assemble(
                (translate(self, text_key, **facts), "bold $primary"),
                "\n\n",
                (translate_hint(self, text_key, **facts), "$faint"),
            )
        )
