"""What full screens and dialogs share: nothing touches their widgets while these are being made.

Textual composes a screen in the screen's own task. A handler that runs in another task, such as a
key's action in the app's, could meet a screen without widgets: on its first opening, and whenever
it is composed anew in another language.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

from textual._types import CallbackType
from textual.await_complete import AwaitComplete
from textual.binding import BindingType
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.timer import Timer
from textual.widget import Widget

from sovdeck.engine.contract.catalogue import Language
from sovdeck.tui.shell.actions import leaving_binding
from sovdeck.tui.shell.base_app import app_of
from sovdeck.tui.shell.reliable_timers import ReliableTimers
from sovdeck.tui.state.state import State, Topics
from sovdeck.tui.text.i18n import language_of

Result = TypeVar("Result")


class ComposedScreen(ReliableTimers, Screen[Result], Generic[Result]):
    """A screen that knows whether its widgets are all there (`is_whole`).

    The app calls `publish`; `redraw_changed` then runs in the screen's own task, which is never
    in the middle of composing.
    """

    keeps_language = False
    _composing = False
    _composed_in: Language | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is mounted and not being composed anew."""
        return self.is_mounted and not self._composing

    @property
    def is_composing(self) -> bool:
        """Whether it is being composed anew."""
        return self._composing

    def on_mount(self) -> None:
        # Through this screen's own queue, which is read only once it is mounted.
        self.call_later(self.app.call_later, app_of(self).run_held)

    def note_language(self) -> None:
        """Remember the language that the widgets are now being made in."""
        self._composed_in = language_of(self)

    def on_screen_resume(self) -> None:
        self.follow_language()

    def follow_language(self) -> None:
        """Compose anew when the app's language is another one by now."""
        if not self.keeps_language and self._composed_in != language_of(self):
            self.refresh(recompose=True)

    def publish(self, topics: Topics) -> None:
        """Draw what `topics` concern, as soon as the widgets are there."""
        self.run_when_whole(lambda: self.redraw_changed(topics))

    def run_when_whole(self, callback: Callable[[], Any]) -> None:
        """Call `callback` in the screen's own task, unless the screen is left before."""

        def run() -> None:
            if self.is_attached and not self._pruning:
                callback()

        self.call_later(run)

    def set_timer(
        self,
        delay: float,
        callback: CallbackType | None = None,
        *,
        name: str | None = None,
        pause: bool = False,
    ) -> Timer:
        """Call `callback` after `delay` seconds, unless the screen is left before.

        Leaving takes the widgets away first, and the timers of the screen only then.
        """

        def run() -> Any:
            left = not self.is_attached or self._pruning
            return None if left or callback is None else callback()

        return super().set_timer(delay, run, name=name, pause=pause)

    def set_focus(
        self, widget: Widget | None, scroll_visible: bool = True, from_app_focus: bool = False
    ) -> None:
        """Give a widget the focus, unless it is being removed.

        `Widget.focus()` waits in the app's queue. Meanwhile the screen may have begun to be
        composed anew, and every key would go to a widget that has left.
        """
        if widget is None or not widget._pruning:
            super().set_focus(widget, scroll_visible, from_app_focus)

    def redraw_after_refresh(self, redraw: Callable[[], None]) -> None:
        """Call `redraw` once sizes are known anew, unless the screen is left before."""
        self.call_after_refresh(self.run_when_whole, redraw)

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """Close with a result; a second answer, or one while it is covered, changes nothing."""
        return super().dismiss(result) if self.app.screen is self else AwaitComplete()

    async def _on_message(self, message: Message) -> None:
        """Handle a message, unless a widget sent it and the app or this screen is left by now.

        Leaving may come while the widgets are being made anew: the old ones are gone then and no
        new ones follow, but what the old ones had to say still waits in the queue.
        """
        sender = message._sender
        if self.is_attached or sender is self or not isinstance(sender, Widget):
            await super()._on_message(message)

    def redraw_changed(self, topics: Topics) -> None:
        """Draw what `topics` concern; by default nothing changes with the state."""

    async def recompose(self) -> None:
        """Compose anew in the app's language; nothing when it was switched back meanwhile."""
        if self._composed_in == language_of(self):
            return
        self._composing = True
        try:
            await super().recompose()
        finally:
            self._composing = False
            self.app.call_later(app_of(self).run_held)


class Dialog(ModalScreen[Result], ComposedScreen[Result], Generic[Result]):
    """A modal screen. It keeps what is typed in it, and so the language it was opened in."""

    BINDINGS: ClassVar[list[BindingType]] = [leaving_binding()]
    keeps_language = True


class LiveDialog(Dialog[Result | None], Generic[Result]):
    """A dialog that is redrawn when the state changes, as the screens are; None is no result."""

    def show(self, state: State) -> None:
        """Draw the state."""
        raise NotImplementedError

    def redraw_changed(self, topics: Topics) -> None:
        """Draw the state of now."""
        self.show(app_of(self).state)
