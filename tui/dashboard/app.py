"""The dashboard: wires store, controller and screens; nothing else lives here."""

from __future__ import annotations

import asyncio
import os
import sys
import time
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import InvalidStateError
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from rich.console import RenderableType
from rich.text import Text
from textual import events
from textual.app import SystemCommand
from textual.binding import BindingType
from textual.dom import DOMNode
from textual.driver import Driver
from textual.errors import NoWidget
from textual.notifications import SeverityLevel
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget

from sovdeck.engine.contract.catalogue import LANGUAGES, Language
from sovdeck.engine.contract.problem import ExitCode
from sovdeck.remote.printable import strip_controls
from sovdeck.tui.dashboard.clipboard import copy_with_system_tool
from sovdeck.tui.dashboard.controller import Controller
from sovdeck.tui.dashboard.signals import leave_on_signals
from sovdeck.tui.dashboard.toasts import ToastNotifier
from sovdeck.tui.screens.base.composed_screen import ComposedScreen
from sovdeck.tui.screens.base.prompt_modal import PromptModal
from sovdeck.tui.screens.base.screen import AppScreen
from sovdeck.tui.screens.dialogs.add_server import AddServerScreen
from sovdeck.tui.screens.dialogs.confirm import ConfirmScreen
from sovdeck.tui.screens.dialogs.help import HelpScreen
from sovdeck.tui.screens.dialogs.jump import JumpScreen
from sovdeck.tui.screens.dialogs.notices import NoticesScreen
from sovdeck.tui.screens.dialogs.palette import PaletteScreen
from sovdeck.tui.screens.dialogs.ssh_prompts import HostKeyScreen, SecretScreen
from sovdeck.tui.screens.registry import make_screen
from sovdeck.tui.screens.rent.screen import leaving_question
from sovdeck.tui.services.protocols import Cancel, Emit
from sovdeck.tui.services.services import Services
from sovdeck.tui.shell import settings as settings_file
from sovdeck.tui.shell import theme
from sovdeck.tui.shell.actions import ACTIONS, bindings
from sovdeck.tui.shell.base_app import BaseApp
from sovdeck.tui.shell.messages import (
    CommandPosted,
    EventsWaiting,
    PromptCancelled,
    PromptRequested,
    TaskCrashed,
)
from sovdeck.tui.shell.settings import DashboardSettings
from sovdeck.tui.shell.tabs import TABS
from sovdeck.tui.state.events import AddServerFailed, ClockTicked, NoticeRaised
from sovdeck.tui.state.models import RunEnd
from sovdeck.tui.state.prompts import HostKeyPrompt, SecretPrompt
from sovdeck.tui.state.server_models import ParsedSSHLine
from sovdeck.tui.state.state import Topics
from sovdeck.tui.state.store import Store
from sovdeck.tui.text.i18n import translate, translate_hint, translate_text

REPAINT_INTERVAL_S = 0.4  # events are drained at most this often: charts repaint at most at 2.5 Hz
# Where much is watched, or the computer is slow, events wait until this much of the time was free,
# at most as many intervals: watching costs a small part of a core, however much there is to see.
REST_SHARE, MOST_INTERVALS = 33.0, 5.0
CLOCK_INTERVAL_S = 1.0
PRELOAD_AFTER_S = 1.0  # by then the first screen is drawn; the next opens at once


class SovdeckApp(BaseApp):
    """`SovdeckApp(services).run()`. `settings_path` None keeps settings in memory only."""

    CSS_PATH = "../styles/app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("app")
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {
        name: partial(make_screen, name) for name in TABS
    }
    DEFAULT_MODE = "servers"
    HORIZONTAL_BREAKPOINTS = [
        (0, "-narrow"),
        (100, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [
        (0, "-short"),
        (20, "-mid"),
        (32, "-tall"),
    ]
    language: reactive[Language] = reactive[Language]("en", init=False)

    def __init__(
        self,
        services: Services,
        *,
        settings: DashboardSettings | None = None,
        settings_path: Path | None = None,
        start: str = "servers",
        language: Language | None = None,
    ) -> None:
        super().__init__(Store(services.now()), settings or DashboardSettings())
        self.title = "sovdeck"
        self.services = services
        self.default_draft = services.default_draft
        self.settings_path = settings_path
        self.start_screen = start if start in self.MODES else self.DEFAULT_MODE
        self.controller = Controller(self, services, self.store)
        self.controller.read_only = self.settings.read_only
        self.toasts = ToastNotifier(self)
        self.repaint_interval_s = REPAINT_INTERVAL_S
        self._drained_at = 0.0
        # Processor seconds of this thread: until the last drain, and between it and the one before.
        self._work_at_drain = self._last_work_s = 0.0
        self._drain_scheduled = False
        self._held: deque[Callable[[], Awaitable[object]]] = deque()
        self._asks_before_leaving = False
        for one in theme.THEMES:
            self.register_theme(one)
        self.theme = self.settings.theme or self._default_theme()
        chosen = settings_file.resolve_language(self.settings.language, os.environ)
        self.set_reactive(BaseApp.language, language or chosen)
        if self.settings.keys:
            self.set_keymap(self.settings.keys)

    def get_driver_class(self) -> type[Driver]:
        """Textual's driver; on a POSIX terminal ours, which strange input does not end."""
        found = super().get_driver_class()
        if sys.platform != "win32" and found.__name__ == "LinuxDriver":
            # Here, since Windows has no such driver to import.
            from sovdeck.tui.dashboard.terminal_driver import TerminalDriver

            return TerminalDriver
        return found

    @property
    def exit_code(self) -> int:
        """The exit code of the process; a dashboard that ended without being left has failed."""
        return int(ExitCode.INTERNAL) if self.return_code is None else self.return_code

    def _fatal_error(self) -> None:
        # Textual's own shows the values of variables, and a password may be among them.
        trace = strip_controls(traceback.format_exc())  # its words may be a server's
        sentence = translate(self, "tui.notices.fatal") + "\n"
        self.panic(Text(f"{trace}\n{sentence}", no_wrap=True, overflow="ignore"))

    def _default_theme(self) -> str:
        # On 16 colours the terminal's own palette reads better than any approximation.
        return "sixteen" if self.console.color_system in ("standard", "windows") else "night"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Colours for themes that do not define ours."""
        return theme.DEFAULT_VARIABLES

    def on_mount(self) -> None:
        """Start the controller and the clock, and show the first screen."""
        if not self.is_headless:
            leave_on_signals(self)
        self.controller.start()
        self.set_interval(CLOCK_INTERVAL_S, self._tick)
        self.set_timer(PRELOAD_AFTER_S, self._preload_modules)
        if self.start_screen != self.DEFAULT_MODE:
            self.switch_mode(self.start_screen)

    def _preload_modules(self) -> None:
        def load(emit: Emit, cancel: Cancel) -> None:
            import_module("numpy")
            import_module("sovdeck.tui.screens.monitor.screen")

        self.controller.tasks.run("preload", load)

    async def on_unmount(self) -> None:
        """End the background tasks without blocking the event loop."""
        await asyncio.to_thread(self.controller.close)

    # Events of services

    async def _tick(self) -> None:
        self.publish(self.store.apply([ClockTicked(self.services.now())]))
        await self.run_held()  # a screen that was left before it was there calls nobody

    def on_events_waiting(self, message: EventsWaiting) -> None:
        """Apply the events now, or when the next repaint is due."""
        longest = MOST_INTERVALS * self.repaint_interval_s
        pause = max(self.repaint_interval_s, min(longest, self._last_work_s * REST_SHARE))
        left = self._drained_at + pause - time.monotonic()
        if left <= 0:
            self.drain()
        elif not self._drain_scheduled:
            self._drain_scheduled = True
            self.set_timer(left, self.drain)

    def drain(self) -> None:
        """Apply the events that services have emitted and show what changed."""
        self._drain_scheduled = False
        self._drained_at = time.monotonic()
        worked = time.thread_time()
        self._last_work_s, self._work_at_drain = worked - self._work_at_drain, worked
        self.toasts.remember_active(self.state)
        topics, events = self.controller.drain()
        self.publish(topics)
        for event in events:
            if isinstance(event, NoticeRaised):
                self.toasts.show_notice(event)
            elif isinstance(event, AddServerFailed) and not self._is_adding(event.server):
                remark = event.remark
                self.toasts.show_notice(
                    NoticeRaised("bad", remark.text, self.services.now(), remark.hint)
                )
        self.toasts.announce_ended(self.state)

    def _is_adding(self, server: str) -> bool:
        """Whether the dialog that adds this server is open: it says itself what went wrong."""
        return any(
            isinstance(screen, AddServerScreen) and screen.adding == server
            for screen in self.screen_stack
        )

    def publish(self, topics: Topics) -> None:
        """Let every visible screen (also below a dialog) draw what changed."""
        if not topics:
            return
        for screen in self.screen_stack:
            if isinstance(screen, ComposedScreen):
                screen.publish(topics)

    def on_command_posted(self, message: CommandPosted) -> None:
        """Hand the command to the controller; what it says at once is shown at once."""
        self.controller.handle(message.command)
        if not self.controller.idle:
            self.drain()

    def on_prompt_requested(self, message: PromptRequested) -> None:
        """Show the dialog for the prompt; its result becomes the answer."""
        answer: Any = message.answer
        prompt = message.prompt
        if answer.cancelled():
            return

        def resolve(value: Any) -> None:
            with suppress(InvalidStateError):  # nobody waits for it any more
                answer.set_result(value if isinstance(prompt, SecretPrompt) else bool(value))

        screen: Screen[Any]
        if isinstance(prompt, HostKeyPrompt):
            screen = HostKeyScreen(prompt)
        elif isinstance(prompt, SecretPrompt):
            screen = SecretScreen(prompt)
        else:
            screen = ConfirmScreen(f"tui.ssh_prompts.offer_{prompt.offer}", {"name": prompt.server})
        self.push_screen(screen, resolve)
        answer.add_done_callback(
            lambda done: done.cancelled() and self.post_message(PromptCancelled(screen))
        )

    def on_prompt_cancelled(self, message: PromptCancelled) -> None:
        """Close the dialog whose answer nobody waits for."""
        if isinstance(message.screen, PromptModal):
            message.screen.cancel_prompt()

    def on_task_crashed(self, message: TaskCrashed) -> None:
        """Show the error and copy its traceback."""
        facts = {"job": message.task_name, "summary": message.summary}
        self.copy_text(message.traceback)
        self.log.error(message.traceback)
        title = translate(self, "tui.notices.crashed", **facts)
        details = translate_hint(self, "tui.notices.crashed", **facts)
        self.notify(details, title=title, severity="error", timeout=20)

    # Settings

    def save_settings(self, settings: DashboardSettings) -> None:
        """Use new settings and write them to the settings file."""
        self.settings = settings
        self.controller.read_only = settings.read_only
        if self.settings_path is not None:
            settings_file.save_settings(self.settings_path, settings)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Show a toast of plain text, unless one that says the same is still shown."""
        shown = ((one.message, one.title) for one in self._notifications)
        if (message, title) not in shown:
            super().notify(message, title=title, severity=severity, timeout=timeout, markup=markup)

    def copy_text(self, text: str) -> None:
        """Put `text` on the clipboard and show a toast."""
        self.copy_to_clipboard(text)
        self.controller.tasks.run("copy", lambda emit, cancel: copy_with_system_tool(text))
        self.notify(translate(self, "tui.notices.copied"), timeout=3)

    def notify_run_ended(self, end: RunEnd) -> None:
        """Send the notifications of [notify] in a background task."""
        notify = self.services.notify_run_ended
        if notify is not None:
            language = self.language
            group = f"notify:{end.server}/{end.run}"
            self.controller.tasks.run(group, lambda emit, cancel: notify(end, language))

    def parse_ssh_line(self, line: str) -> ParsedSSHLine:
        """Read a pasted ssh line; Problem when it cannot be read. No network."""
        return self.services.servers.parse(line)

    def watch_language(self) -> None:
        """Compose what is visible anew in the other language; other screens when they are shown."""
        for screen in self.screen_stack:
            if isinstance(screen, ComposedScreen):
                screen.run_when_whole(screen.follow_language)

    # Actions

    async def run_action(
        self,
        action: Any,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Run an action; while the screen on top is being composed it waits, in order."""
        run = partial(self._run_action_now, action, default_namespace, namespaces)
        if self._held or not self._is_screen_whole():
            self._held.append(run)
            return True
        return await run()

    async def _run_action_now(
        self,
        action: Any,
        default_namespace: DOMNode | None,
        namespaces: Mapping[str, DOMNode] | None,
    ) -> bool:
        node = default_namespace
        if node is not None and not (node.is_attached and not node._pruning):
            return False  # its screen has been left, or was composed anew
        if isinstance(node, Widget) and node.screen is not self.screen:
            return False  # another screen came on top while the action waited
        return await super().run_action(action, default_namespace, namespaces)

    async def run_held(self) -> None:
        """Do what waited for the screen on top to be composed.

        Once each: leaving goes on waiting while a screen below is being composed.
        """
        for _ in range(len(self._held)):
            if not self._held or not self._is_screen_whole():
                break
            await self._held.popleft()()

    async def on_event(self, event: events.Event) -> None:
        """Handle an event; the mouse hits nothing that is being composed, or has left."""
        if isinstance(event, events.MouseEvent) and not self._can_hit(event.x, event.y):
            return
        await super().on_event(event)

    def _can_hit(self, x: int, y: int) -> bool:
        return self._is_screen_whole() and not self._has_left(x, y)

    def _has_left(self, x: int, y: int) -> bool:
        """Whether the widget shown there was removed, and the screen is not laid out anew yet."""
        try:
            widget, _ = self.screen.get_widget_at(x, y)
        except NoWidget:
            return False
        return not widget.is_attached

    def _is_screen_whole(self) -> bool:
        screen = self.screen
        return not isinstance(screen, ComposedScreen) or screen.is_whole

    def exit(
        self, result: None = None, return_code: int = 0, message: RenderableType | None = None
    ) -> None:
        """Leave the dashboard; a screen that is being composed anew is finished first."""
        if any(isinstance(one, ComposedScreen) and one.is_composing for one in self.screen_stack):
            self._held.append(partial(self._exit_later, return_code))
        else:
            super().exit(result, return_code, message)

    async def _exit_later(self, return_code: int) -> None:
        self.exit(return_code=return_code)

    async def action_quit(self) -> None:
        """Leave, after a question while a rental is followed here."""
        question = leaving_question(self.state)
        if question is None:
            self.exit()
            return
        if self._asks_before_leaving:
            return

        def answered(yes: bool | None) -> None:
            self._asks_before_leaving = False
            if yes:
                self.exit()

        self._asks_before_leaving = True
        self.push_screen(question, answered)

    def action_go(self, name: str) -> None:
        """Show the screen called `name`, and remember it."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
        self.switch_mode(name)
        if self.settings.screen != name:
            self.save_settings(self.settings.with_changes(screen=name))

    def action_switch_language(self) -> None:
        """Switch to the next language."""
        self.language = LANGUAGES[(LANGUAGES.index(self.language) + 1) % len(LANGUAGES)]
        self.save_settings(self.settings.with_changes(language=self.language))

    def action_next_theme(self) -> None:
        """Use the next theme."""
        names = theme.THEME_NAMES
        after = names.index(self.theme) + 1 if self.theme in names else 0
        self.theme = names[after % len(names)]
        self.save_settings(self.settings.with_changes(theme=self.theme))

    def action_toggle_read_only(self) -> None:
        """Allow or refuse commands that change something."""
        self.save_settings(self.settings.with_changes(read_only=not self.settings.read_only))
        self.publish(frozenset({"chosen"}))

    def action_show_help(self) -> None:
        """Show the help of the current screen."""
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def action_show_notices(self) -> None:
        """Show the notices of this session."""
        if not isinstance(self.screen, NoticesScreen):
            self.push_screen(NoticesScreen(self.state.notices))

    def action_jump(self) -> None:
        """Show a letter at each place that can take the focus."""
        if not isinstance(self.screen, JumpScreen):
            self.push_screen(JumpScreen(self.screen))

    def action_command_palette(self) -> None:
        """Open the command palette in the language of the app."""
        if not isinstance(self.screen, PaletteScreen):
            self.push_screen(PaletteScreen(placeholder=translate(self, "tui.chrome.palette")))

    def get_system_commands(self, screen: Screen[Any]) -> Any:
        """Every action of the table, in the language of the app."""
        scopes = {"app", screen.scope if isinstance(screen, AppScreen) else "app"}
        for action in ACTIONS:
            if action.scope in scopes and not action.id.endswith(".palette"):
                namespace = self if action.scope == "app" else screen

                async def run(
                    textual_action: str = action.textual_action, target: Any = namespace
                ) -> None:
                    await target.run_action(textual_action)

                yield SystemCommand(
                    translate_text(self, action.title), translate_text(self, action.help), run
                )


def main() -> None:
    """Run the dashboard on made-up servers, for pictures and tests."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="python -m sovdeck.tui.dashboard.app", description=main.__doc__
    )
    parser.add_argument("--start", default="servers", choices=sorted(SovdeckApp.MODES))
    parser.add_argument("--language", default="en", choices=LANGUAGES)
    parser.add_argument("--theme", default="", choices=["", *theme.THEME_NAMES])
    parser.add_argument(
        "--marker", default="braille", choices=settings_file.SETTING_CHOICES["marker"]
    )
    parser.add_argument("--still", action="store_true")
    parser.add_argument("--more", type=int, default=0)
    parser.add_argument("--empty", action="store_true")
    options = parser.parse_args()
    # Here, because the wheel has no fakes.
    from sovdeck.tui.services.fakes.services import fake_services

    settings = DashboardSettings(
        language=options.language, theme=options.theme, marker=options.marker
    )
    services = fake_services(live=not options.still, empty=options.empty, more=options.more)
    app = SovdeckApp(services, settings=settings, start=options.start)
    app.run()
    sys.exit(app.exit_code)


if __name__ == "__main__":
    main()
