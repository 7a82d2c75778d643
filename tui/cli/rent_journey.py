"""From a chosen offer to a verified voice and a server that costs nothing any more."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sovdeck.engine.contract.catalogue import Language, hint, text
from sovdeck.engine.contract.format import format_money
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import TINY_PRESETS
from sovdeck.remote.auth.keypair import ensure_key
from sovdeck.remote.config import servers_file
from sovdeck.remote.config.load import load_config
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.probe.providers import PROVIDER_PROFILES
from sovdeck.remote.rent.leases import Lease, LeaseBook
from sovdeck.remote.rent.provider import (
    EndAction,
    Instance,
    InstanceAddress,
    Offer,
    Order,
    Provider,
)
from sovdeck.remote.rent.rental import Clock, create_server, end_server, wait_until_ready
from sovdeck.remote.secret import Secret
from sovdeck.remote.servers.add import free_name, register
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
        super().__init__(console)
        self._password = password

    @property
    def can_ask(self) -> bool:
        """Always true: all answers are there."""
        return True

    def host_key(self, fingerprint: str, host: str, known_since: str) -> bool:
        """Show the key and trust it."""
        self._console.print_message("tui.rent.pinned", host=host, fingerprint=fingerprint)
        return True

    def secret(self, server: str, prompt: str, *, again: bool = False) -> Secret | None:
        """The provider's password, once; then a person is asked."""
        password, self._password = self._password, None
        return password or super().secret(server, prompt, again=again)

    def confirm(self, key: str, **facts: object) -> bool:
        """Install our key where a password was needed; nothing else is asked here."""
        return key == "tui.cli.offer_key"


@dataclass
class RentedVoice:
    """One journey. run_command: `sovdeck` itself, so that each step is one a person can repeat."""

    provider: Provider
    book: LeaseBook
    lease: Lease
    args: argparse.Namespace
    console: Console
    run_command: RunCommand
    clock: Clock

    def run(self, offer: Offer, disk: int) -> int:
        """Rent, train, bring home and end; the exit code of what failed, else 0.

        What fails before anything was trained ends the server at once: there is nothing on it.
        Later the server stays, and the person is told what it costs and what to do.
        """
        app_paths = AppPaths.locate()
        order = Order(offer, self.lease.name, ensure_key(app_paths.private_key), disk)
        self._say("tui.rent.creating", gpu=offer.gpu, provider=offer.provider, name=self.lease.name)
        self.lease = create_server(self.provider, order, self.lease, self.book, self.clock)
        try:
            self._open(app_paths)
            code = self._prepare()
        except (Problem, KeyboardInterrupt) as problem:
            if isinstance(problem, Problem):
                self.console.print_problem(problem)
            code = int(getattr(problem, "exit_code", ExitCode.INTERRUPTED))
        if code:
            self._end("destroy", confirmed=True)
            return code
        code = self._train()
        return self._finish() or code

    @property
    def name(self) -> str:
        """The server's name in the list of servers."""
        return self.lease.server

    def _open(self, app_paths: AppPaths) -> None:
        address = wait_until_ready(self.provider, self.lease, self.clock, self._report)
        self.lease = add_rented_server(self.lease, address, self.book, self.console, self.args)
        self._say("tui.rent.ready", name=self.name, line=address.ssh_line)
        price = format_money(self.lease.price_per_hour, self.lease.currency)
        self._say("tui.rent.if_you_go", name=self.name, price=price)

    def _prepare(self) -> int:
        steps: list[tuple[str, ...]] = [("deploy", self.name)]
        if self.args.preset not in TINY_PRESETS:
            steps.append(("models", "get", self.name))
        steps.append(("push", self.name, "--voice", self.lease.voice, *self._dataset()))
        for step in steps:
            code = self._step(*step)
            if code:
                return code
        # A refusal is said and goes on: the laptop and the next `rent ls` watch too.
        hours = max(1.0, (self.lease.expires_at - self.clock.now()) / 3600)
        self._step("autostop", self.name, "--after", f"{hours * 60:.0f}m")
        return 0

    def _train(self) -> int:
        """Train to the end; where nothing outlives the server, each save is pulled as it comes."""
        words = ("train", self.name, "--voice", self.lease.voice, *self._training())
        if self.provider.can_stop:
            return self._step(*words, "--wait")
        return self._step(*words) or self._step("sync", self.name, self.lease.voice, "--watch")

    def _finish(self) -> int:
        """Bring everything home, then end as agreed; else say what it costs to wait."""
        if not self._bring_home():
            price = format_money(self.lease.price_per_hour, self.lease.currency)
            facts = {"voice": self.lease.voice, "name": self.name, "price": price}
            self._say("tui.rent.not_home_left", **facts)
            self.console.print_line(hint("tui.rent.not_home_left", **facts).get(self._language))
            return int(ExitCode.UNREACHABLE)
        self.lease = self.book.change(self.lease.name, home_at=self.clock.now())
        self._say("tui.rent.home", voice=self.lease.voice)
        self._end(self.lease.end)
        return 0

    def _bring_home(self) -> bool:
        """Whether all that the voice's runs made lies here, verified, and no run goes on."""
        named = argparse.Namespace(**{**vars(self.args), "server": self.name})
        with open_session(named, self.console) as session:
            options = TransferOptions.from_config(
                session.config, progress_reporter(self.console), threading.Event()
            )
            result = sync(
                session,
                self.lease.voice,
                session.outputs,
                options,
                policy=SyncPolicy.EACH_CHECKPOINT,
            )
            print_sync_result(self.console, result, session.name)
            return result.switch_off.safe

    def _end(self, action: EndAction, *, confirmed: bool = False) -> None:
        self.lease = end_server(
            self.provider, self.lease, self.book, action, self.clock, confirmed=confirmed
        )
        conclude(self.lease, self.provider, self.console, self.clock, self.args)

    def _step(self, *words: str) -> int:
        self._say("tui.rent.step", line=" ".join(words))
        return self.run_command(words)

    def _training(self) -> list[str]:
        given = ["--preset", self.args.preset] if self.args.preset else []
        for param in self.args.params or []:
            given += ["--set", param]
        return given

    def _dataset(self) -> list[str]:
        given = []
        if self.args.list:
            given += ["--list", str(self.args.list)]
        if self.args.wavs:
            given += ["--wavs", str(self.args.wavs)]
        return given

    def _report(self, instance: Instance | None, seconds: float) -> None:
        state = instance.state if instance is not None else "unknown"
        self.console.show_status(
            text(
                "tui.rent.waiting",
                state=text(f"tui.rent.state_{state}").get(self._language),
                provider=self.provider.name,
                seconds=round(seconds),
                cost=format_money(self.lease.cost_at(self.clock.now()), self.lease.currency),
            ).get(self._language)
        )

    def _say(self, key: str, **facts: object) -> None:
        self.console.print_message(key, **facts)

    @property
    def _language(self) -> Language:
        return self.console.language


def add_rented_server(
    lease: Lease,
    address: InstanceAddress,
    book: LeaseBook,
    console: Console,
    args: argparse.Namespace,
) -> Lease:
    """Put the server into the list of servers, its host key pinned; an old entry is replaced."""
    app_paths = AppPaths.locate()
    config = load_config(args.config, app_paths)
    name = lease.server or free_name(f"{lease.provider}-{lease.voice}", config)
    register(
        address.ssh_line,
        config,
        app_paths,
        NewServerDialog(console, address.password),
        name=name,
        profile=lease.provider if lease.provider in PROVIDER_PROFILES else "auto",
        price_per_hour=lease.price_per_hour,
        currency=lease.currency,
        replace=bool(lease.server),
    )
    return book.change(lease.name, server=name)


def conclude(
    lease: Lease, provider: Provider, console: Console, clock: Clock, args: argparse.Namespace
) -> None:
    """Say that the provider confirmed the end and what it cost; forget a server that is gone.

    Its address may be somebody else's tomorrow, so that its entry must not stay in the list.
    """
    app_paths = AppPaths.locate()
    if not lease.is_open and lease.server in load_config(args.config, app_paths).servers:
        servers_file.remove_server(app_paths, lease.server)
    console.print_message(
        "tui.rent.stopped" if lease.is_open else "tui.rent.destroyed",
        name=lease.server or lease.name,
        provider=provider.name,
        cost=format_money(lease.cost_at(clock.now()), lease.currency),
    )
