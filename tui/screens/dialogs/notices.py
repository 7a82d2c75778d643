"""What was said (F9): the notices of this session, newest first; a toast is gone in seconds."""

from __future__ import annotations

import time

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content

from sovdeck.tui.screens.base.composed_screen import Dialog
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.state.events import NoticeRaised
from sovdeck.tui.text.i18n import translate, translate_text
from sovdeck.tui.widgets.status_labels import level_mark
from sovdeck.tui.widgets.steady_text import SteadyText


class NoticesScreen(Dialog[None]):
    """Shows notices, the oldest of them given first."""

    CSS_PATH = "../../styles/notices.tcss"
    BINDINGS = bindings("notices")

    def __init__(self, notices: tuple[NoticeRaised, ...]) -> None:
        super().__init__()
        self.notices = notices

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="sheet"):
            yield SteadyText(translate(self, "tui.notices.list"), classes="question")
            if not self.notices:
                yield SteadyText(translate(self, "tui.notices.none"), classes="more")
            for notice in reversed(self.notices):
                yield SteadyText(self._notice(notice), classes="notice")

    def _notice(self, notice: NoticeRaised) -> Content:
        clock = time.strftime("%H:%M:%S", time.localtime(notice.at / 1000))
        advice = translate_text(self, notice.hint)
        return Content.assemble(
            level_mark(notice.level),
            (f" {clock}  ", "$faint"),
            translate_text(self, notice.text),
            (f"\n{advice}" if advice else "", "$faint"),
        )

    def action_leave(self) -> None:
        self.dismiss()

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)
