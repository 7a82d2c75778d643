"""The line under the text of the Speak screen: how the server will read what is written."""

from __future__ import annotations

from collections.abc import Callable

from textual.content import Content
from textual.message_pump import MessagePump
from textual.timer import Timer

from sovdeck.tui.screens.speak.text import shorten
from sovdeck.tui.shell.reliable_timers import ReliableTimers
from sovdeck.tui.state.commands import ReadText
from sovdeck.tui.state.speech_models import ReadingRequest, ReadingRow
from sovdeck.tui.text.i18n import translate
from sovdeck.tui.text.param_values import language_text
from sovdeck.tui.widgets.steady_text import SteadyText

_PAUSE_S = 0.4  # nobody has typed for so long before the server is asked
_MAX_LOST = 8  # characters without sound that the line names


class ReadingLine(ReliableTimers, SteadyText):
    """Asks for the reading of a text once nobody types, and shows it while it fits the text."""

    def __init__(self, post: Callable[[ReadText], None], id: str) -> None:
        super().__init__(id=id)
        self.display = False
        self._post = post
        self._asked: ReadingRequest | None = None
        self._timer: Timer | None = None

    def ask(self, request: ReadingRequest | None) -> None:
        """Ask for a text that is not asked for yet; None where there is no text or no server."""
        if request == self._asked:
            return
        self._asked = request
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if request is not None:
            self._timer = self.set_timer(_PAUSE_S, lambda: self._post(ReadText(request)))

    def show(self, reading: ReadingRow | None) -> bool:
        """Show a reading of the text last asked for; return whether there is one."""
        fits = reading is not None and reading.request == self._asked
        found = reading if fits and reading is not None and reading.pieces is not None else None
        self.display = found is not None
        if found is not None:
            self.update(describe_reading(self, found, max(20, 2 * self.app.size.width)))
        return found is not None


def describe_reading(node: MessagePump, reading: ReadingRow, width: int) -> Content:
    """Return the pieces with their languages, and the characters without sound by place."""
    parts: list[Content | str | tuple[str, str]] = []
    if reading.lost:
        named = ", ".join(f"{letter} ({at + 1})" for letter, at in reading.lost[:_MAX_LOST])
        lost = translate(
            node,
            "tui.speak_screen.reading_lost",
            count=len(reading.lost),
            characters=named + (" …" if len(reading.lost) > _MAX_LOST else ""),
        )
        parts.append((f"▲ {lost}  ", "$warning"))
    for language, written in reading.pieces or ():
        parts += [(f"{language_text(node, language)} ", "$faint"), f"{shorten(written, width)}  "]
    return Content.assemble(*parts)
