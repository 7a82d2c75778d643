"""The dashboard: wires store, controller and screens; nothing else lives here."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import InvalidStateError
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from textual.app import SystemCommand
from textual.binding import BindingType
from textual.command import CommandPalette
from textual.reactive import reactive
from textual.screen import Screen

from engine.contract.catalogue import Language
from tui import settings as files
from tui import theme
from tui.actions import ACTIONS, bindings
from tui.clipboard import copy_by_tool
from tui.controller import Controller
from tui.deck import Deck
from tui.language import say, say_hint, tell
from tui.messages import Asked, EventsWaiting, JobCrashed, Question, Withdrawn
from tui.notify import Announcer
from tui.services.protocols import Cancel, Emit, HostKeyQuestion, ParsedLine, SecretQuestion
from tui.services.services import Services
from tui.settings import Settings
from tui.signals import leave_on_signals
from tui.state.events import ClockTicked, NoticeRaised
from tui.state.state import Topics
from tui.state.store import Store
from tui.state.work import RunEnd
from tui.tabs import TABS

PAINT_EVERY_S = 0.4  # events are drained at most this often: charts repaint at most at 2.5 Hz
TICK_S = 1.0
WARM_AFTER_S = 1.0  # by then the first screen stands, and the next will open at once


def _screen(name: str) -> Callable[[], Screen[Any]]:
    """A factory that imports its screen when it is first shown."""

    def make() -> Screen[Any]:
        from tui.screens.index import make_screen

        return make_screen(name)

    return make


class SovdeckApp(Deck):
    """`SovdeckApp(services).run()`. `settings_path` None keeps settings in memory only."""

    CSS_PATH = "styles/app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("app")
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {
        name: _screen(name) for name in TABS
    }
    DEFAULT_MODE = "servers"
    HORIZONTAL_BREAKPOINTS = [
        (0, "-narrow"), (100, "-wide"),
    ]  # fmt: skip
    VERTICAL_BREAKPOINTS = [
        (0, "-short"), (20, "-mid"), (32, "-tall"),
    ]  # fmt: skip
    language: reactive[Language] = reactive[Language]("en", init=False)

    def __init__(
        self,
        services: Services,
        *,
        settings: Settings | None = None,
        settings_path: Path | None = None,
        start: str = "servers",
    ) -> None:
        super().__init__(Store(services.now()), settings or Settings())
        self.title = "sovdeck"
        self.services = services
        self.draft = services.draft
        self.settings_path = settings_path
        self.start_screen = start if start in self.MODES else self.DEFAULT_MODE
        self.controller = Controller(self, services, self.store)
        self.controller.read_only = self.settings.read_only
        self.announcer = Announcer(self)
        self.paint_every = PAINT_EVERY_S
        self._drained = 0.0
        self._drain_waits = False
        for one in theme.THEMES:
            self.register_theme(one)
        self.theme = self.settings.theme or self._fitting_theme()
        self.set_reactive(Deck.language, self._spoken())
        if self.settings.keys:
            self.set_keymap(self.settings.keys)

    def _fitting_theme(self) -> str:
        # On 16 colours the terminal's own palette reads better than any approximation.
        return "sixteen" if self.console.color_system in ("standard", "windows") else "night"

    def _spoken(self) -> Language:
        return "zh" if files.spoken(self.settings.language, os.environ) == "zh" else "en"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return theme.DEFAULTS

    def on_mount(self) -> None:
        if not self.is_headless:
            leave_on_signals(self)
        self.controller.start()
        self.set_interval(TICK_S, self._tick)
        self.set_timer(WARM_AFTER_S, self._warm)
        if self.start_screen != self.DEFAULT_MODE:
            self.switch_mode(self.start_screen)

    def _warm(self) -> None:
        def load(emit: Emit, cancel: Cancel) -> None:
            import_module("numpy")
            import_module("tui.screens.monitor")

        self.controller.jobs.run("warm", load)

    async def on_unmount(self) -> None:
        await asyncio.to_thread(self.controller.close)

    # Events of services

    def _tick(self) -> None:
        self.publish(self.store.apply([ClockTicked(self.services.now())]))

    def on_events_waiting(self, message: EventsWaiting) -> None:
        left = self._drained + self.paint_every - time.monotonic()
        if left <= 0:
            self.drain()
        elif not self._drain_waits:
            self._drain_waits = True
            self.set_timer(left, self.drain)

    def drain(self) -> None:
        """Apply what services have told and show it."""
        self._drain_waits = False
        self._drained = time.monotonic()
        self.announcer.before(self.state)
        topics, events = self.controller.drain()
        self.publish(topics)
        for event in events:
            if isinstance(event, NoticeRaised):
                self.announcer.notice(event)
        self.announcer.after(self.state)

    def publish(self, topics: Topics) -> None:
        """Let every screen that can be seen (also below a question) draw what changed."""
        if not topics:
            return
        from tui.screens.deck_screen import DeckScreen
        from tui.screens.watching import WatchingModal

        for screen in self.screen_stack:
            if isinstance(screen, DeckScreen) and screen.is_mounted:
                screen.changed(topics)
            elif isinstance(screen, WatchingModal) and screen.is_mounted:
                screen.show(self.state)

    def on_asked(self, message: Asked) -> None:
        self.controller.grant(message.wish)

    def on_question(self, message: Question) -> None:
        from tui.screens.confirm import Confirm
        from tui.screens.questions import HostKeyScreen, SecretScreen

        answer: Any = message.answer
        question = message.question
        if answer.cancelled():
            return

        def answered(value: Any) -> None:
            with suppress(InvalidStateError):  # nobody waits for it any more
                answer.set_result(value if isinstance(question, SecretQuestion) else bool(value))

        screen: Screen[Any]
        if isinstance(question, HostKeyQuestion):
            screen = HostKeyScreen(question)
        elif isinstance(question, SecretQuestion):
            screen = SecretScreen(question)
        else:
            screen = Confirm(f"tui.ask.offer_{question.offer}", {"name": question.server})
        self.push_screen(screen, answered)
        answer.add_done_callback(
            lambda done: done.cancelled() and self.post_message(Withdrawn(screen))
        )

    def on_withdrawn(self, message: Withdrawn) -> None:
        from tui.screens.question_modal import QuestionModal

        if isinstance(message.screen, QuestionModal):
            message.screen.withdraw()

    def on_job_crashed(self, message: JobCrashed) -> None:
        facts = {"job": message.job, "summary": message.summary}
        self.copy(message.trace)
        self.log.error(message.trace)
        words = say(self, "tui.notices.crashed", **facts)
        more = say_hint(self, "tui.notices.crashed", **facts)
        self.notify(more, title=words, severity="error", timeout=20, markup=False)

    # Settings

    def keep(self, settings: Settings) -> None:
        self.settings = settings
        self.controller.read_only = settings.read_only
        if self.settings_path is not None:
            files.save(self.settings_path, settings)

    def copy(self, words: str) -> None:
        self.copy_to_clipboard(words)
        self.controller.jobs.run("copy", lambda emit, cancel: copy_by_tool(words))
        self.notify(say(self, "tui.notices.copied"), timeout=3)

    def spread(self, end: RunEnd) -> None:
        tell = self.services.spread
        if tell is not None:
            language = self.language
            group = f"spread:{end.server}/{end.run}"
            self.controller.jobs.run(group, lambda emit, cancel: tell(end, language))

    def read_line(self, line: str) -> ParsedLine:
        return self.services.servers.parse(line)

    def watch_language(self) -> None:
        for stack in self._screen_stacks.values():
            for screen in stack:
                if screen.is_mounted:
                    screen.refresh(recompose=True)

    # Actions

    def action_go(self, name: str) -> None:
        if len(self.screen_stack) > 1:
            self.pop_screen()
        self.switch_mode(name)
        if self.settings.screen != name:
            self.keep(self.settings.with_(screen=name))

    def action_switch_language(self) -> None:
        self.language = "en" if self.language == "zh" else "zh"
        self.keep(self.settings.with_(language=self.language))

    def action_next_theme(self) -> None:
        names = theme.NAMES
        after = names.index(self.theme) + 1 if self.theme in names else 0
        self.theme = names[after % len(names)]
        self.keep(self.settings.with_(theme=self.theme))

    def action_toggle_read_only(self) -> None:
        self.keep(self.settings.with_(read_only=not self.settings.read_only))
        self.publish(frozenset({"chosen"}))

    def action_show_help(self) -> None:
        from tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def action_jump(self) -> None:
        from tui.screens.jump import JumpScreen

        if not isinstance(self.screen, JumpScreen):
            self.push_screen(JumpScreen(self.screen))

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(CommandPalette(placeholder=say(self, "tui.chrome.palette")))

    def get_system_commands(self, screen: Screen[Any]) -> Any:
        """Every action of the table, in the language of the screen."""
        scopes = {"app", getattr(screen, "TAB", "app")}
        for action in ACTIONS:
            if action.scope in scopes and not action.id.endswith(".palette"):
                namespace = self if action.scope == "app" else screen

                async def run(do: str = action.do, where: Any = namespace) -> None:
                    await where.run_action(do)

                yield SystemCommand(tell(self, action.title), tell(self, action.help), run)


def main() -> None:
    """`python -m tui.app`: the dashboard on made-up servers, for pictures and tests."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m tui.app", description=main.__doc__)
    parser.add_argument("--start", default="servers", choices=sorted(SovdeckApp.MODES))
    parser.add_argument("--language", default="en", choices=["en", "zh"])
    parser.add_argument("--theme", default="", choices=["", *theme.NAMES])
    parser.add_argument("--marker", default="braille", choices=files.CHOICES["marker"])
    parser.add_argument("--still", action="store_true")
    parser.add_argument("--more", type=int, default=0)
    parser.add_argument("--empty", action="store_true")
    options = parser.parse_args()
    from tui.services.fakes import fake_services

    chosen = Settings(language=options.language, theme=options.theme, marker=options.marker)
    services = fake_services(live=not options.still, empty=options.empty, more=options.more)
    app = SovdeckApp(services, settings=chosen, start=options.start)
    app.run()
    sys.exit(app.return_code or 0)


if __name__ == "__main__":
    main()
