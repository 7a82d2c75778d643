"""The steps of a rental on the command line: each is a `sovdeck` command that can be repeated."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Sequence

from sovdeck.engine.contract.catalogue import hint, text
from sovdeck.engine.contract.format import format_money
from sovdeck.engine.contract.param import format_value
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.spec import TINY_PRESETS
from sovdeck.remote.hosts.known_hosts import HostKey
from sovdeck.remote.rent.journey import StepFailed, find_training
from sovdeck.remote.rent.leases import Lease
from sovdeck.remote.rent.provider import Instance, InstanceAddress, Provider, Station
from sovdeck.remote.rent.rental import Clock
from sovdeck.remote.rent.rented_voice import RentedVoice
from sovdeck.remote.secret import Secret
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.voices.sync import sync
from sovdeck.remote.voices.sync_policy import SyncPolicy
from sovdeck.remote.voices.transfer_options import TransferOptions
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.prompts import TerminalDialog
from sovdeck.tui.cli.server_argument import open_session
from sovdeck.tui.cli.sync_output import print_sync_result
from sovdeck.tui.cli.transfer_output import progress_reporter

# Runs one sovdeck command line and returns its exit code.
RunCommand = Callable[[Sequence[str]], int]


class NewServerDialog(TerminalDialog):
    """The first log-in to a server that its provider, asked over TLS, says is ours.

    Its host key is new to everybody, also where another server had the address before: it is
    shown and pinned. A password that the provider made is given once.
    """

    def __init__(self, console: Console, password: Secret | None) -> None:
        super().__init__(console, install_key=True)
        self._password = password

    @property
    def can_ask(self) -> bool:
        """Always true: all answers are there."""
        return True

    def host_key(self, key: HostKey, host: str, known_since: str) -> bool:
        """Show the key and trust it."""
        self._console.print_message("tui.rent.pinned", host=host, fingerprint=key.fingerprint)
        return True

    def secret(self, server: str, prompt: str, *, again: bool = False) -> Secret | None:
        """The provider's password, once; then a person is asked."""
        password, self._password = self._password, None
        return password or super().secret(server, prompt, again=again)

    def confirm(self, key: str, **facts: object) -> bool:
        """Nothing else is asked here."""
        return False


class CommandSteps:
    """Implements `sovdeck.remote.rent.journey.JourneySteps`. run_command: `sovdeck` itself."""

    def __init__(
        self,
        provider: Provider,
        rented: RentedVoice,
        args: argparse.Namespace,
        console: Console,
        run_command: RunCommand,
        clock: Clock,
    ) -> None:
        self._provider, self._rented, self._args = provider, rented, args
        self._console, self._run_command, self._clock = console, run_command, clock

    def enter(self, station: Station, lease: Lease) -> None:
        """Say that a server is rented now, or that all is home; the commands say the rest."""
        if station == "create":
            facts = {"gpu": lease.gpu, "provider": lease.provider, "name": lease.name}
            self._console.print_message("tui.rent.creating", **facts)
        elif station == "end" and lease.home_at is not None:
            self._console.print_message("tui.rent.home", voice=lease.voice)

    def report_waiting(self, lease: Lease, instance: Instance | None, seconds: float) -> None:
        """Show the state, and what it has cost."""
        state = instance.state if instance is not None else "unknown"
        self._console.show_status(
            text(
                "tui.rent.waiting",
                state=text(f"tui.rent.state_{state}").get(self._console.language),
                provider=lease.provider,
                seconds=round(seconds),
                cost=format_money(lease.cost_at(self._clock.now()), lease.currency),
            ).get(self._console.language)
        )

    def new_server_prompts(self, address: InstanceAddress) -> NewServerDialog:
        """Return what answers the first log-in."""
        return NewServerDialog(self._console, address.password)

    def server_ready(self, lease: Lease, address: InstanceAddress) -> None:
        """Say where it is, and what happens if this computer dies now."""
        self._console.print_message("tui.rent.ready", name=lease.server, line=address.ssh_line)
        price = format_money(lease.price_per_hour, lease.currency)
        self._console.print_message("tui.rent.if_you_go", name=lease.server, price=price)

    def deploy(self, server: str) -> None:
        """`sovdeck deploy`."""
        self._step("deploy", server)

    def fetch_weights(self, server: str) -> None:
        """`sovdeck models get`, unless the preset starts from nothing."""
        if self._rented.preset not in TINY_PRESETS:
            self._step("models", "get", server, "--version", self._rented.preset)

    def push(self, server: str) -> None:
        """`sovdeck push`."""
        rented = self._rented
        given = ["--list", str(rented.list_file)]
        if rented.wavs is not None:
            given += ["--wavs", str(rented.wavs)]
        self._step("push", server, "--voice", rented.voice, *given)

    def arm_autostop(self, server: str, minutes: int) -> None:
        """`sovdeck autostop`, whose refusal has been said by then."""
        self._try_step("autostop", server, "--after", f"{minutes}m")

    def train(self, server: str, *, pull_each_save: bool) -> None:
        """`sovdeck train --wait`, or with `sovdeck sync --watch` beside it."""
        rented = self._rented
        words = ["train", server, "--voice", rented.voice, "--preset", rented.preset]
        for name, value in rented.params.items():
            # A shown number is rounded.
            given = repr(value) if isinstance(value, float) else format_value(value)
            words += ["--set", f"{name}={given}"]
        self._train(words, server, pull_each_save)

    def resume_training(self, server: str, *, pull_each_save: bool) -> None:
        """Follow the run with `sovdeck sync --watch`, or continue it, or start one."""
        voice = self._rented.voice
        with self._open(server) as session:
            training = find_training(session, voice)
        if training.todo == "start":
            self.train(server, pull_each_save=pull_each_save)
        elif training.todo == "continue":
            self._train(["train", server, "--run", training.run], server, pull_each_save)
        else:
            self._step("sync", server, voice, "--watch")

    def bring_home(self, server: str) -> bool:
        """Download what is new, and tell whether nothing would be lost with the server."""
        with self._open(server) as session:
            options = TransferOptions.from_config(
                session.config, progress_reporter(self._console), threading.Event()
            )
            result = sync(
                session,
                self._rented.voice,
                session.outputs,
                options,
                policy=SyncPolicy.EACH_CHECKPOINT,
            )
            print_sync_result(self._console, result, session.name)
            return result.switch_off.safe

    def report_problem(self, problem: Problem) -> None:
        """Print it."""
        self._console.print_problem(problem)

    def left_running(self, lease: Lease) -> None:
        """Print what it costs to wait, and what to do."""
        price = format_money(lease.price_per_hour, lease.currency)
        facts = {"voice": lease.voice, "name": lease.server, "price": price}
        self._console.print_message("tui.rent.not_home_left", **facts)
        advice = hint("tui.rent.not_home_left", **facts)
        self._console.print_line(advice.get(self._console.language))

    def ended(self, lease: Lease) -> None:
        """Print that the provider confirmed the end, and what it cost."""
        print_ended(lease, self._console, self._clock)

    def _open(self, server: str) -> ServerSession:
        named = argparse.Namespace(**{**vars(self._args), "server": server})
        return open_session(named, self._console)

    def _train(self, words: Sequence[str], server: str, pull_each_save: bool) -> None:
        if pull_each_save:
            self._step(*words)
            self._step("sync", server, self._rented.voice, "--watch")
        else:
            self._step(*words, "--wait")

    def _step(self, *words: str) -> None:
        code = self._try_step(*words)
        if code:
            raise StepFailed(code)

    def _try_step(self, *words: str) -> int:
        self._console.print_message("tui.rent.step", line=" ".join(words))
        return self._run_command(words)


def print_ended(lease: Lease, console: Console, clock: Clock) -> None:
    """Print that the provider confirmed the end, and what it cost."""
    console.print_message(
        "tui.rent.stopped" if lease.is_open else "tui.rent.destroyed",
        name=lease.server or lease.name,
        provider=lease.provider,
        cost=format_money(lease.cost_at(clock.now()), lease.currency),
    )
