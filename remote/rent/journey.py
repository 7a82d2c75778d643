"""From a chosen offer to a verified voice and a server that costs nothing any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.auth.keypair import ensure_key
from sovdeck.remote.config import servers_file
from sovdeck.remote.config.load import load_config
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.probe.providers import PROVIDER_PROFILES
from sovdeck.remote.rent.leases import Lease, LeaseBook
from sovdeck.remote.rent.provider import (
    EndAction,
    Instance,
    InstanceAddress,
    Offer,
    Order,
    Provider,
    Station,
)
from sovdeck.remote.rent.rental import (
    Clock,
    create_server,
    end_server,
    settle_unknown,
    start_again,
    wait_until_ready,
)
from sovdeck.remote.servers.add import free_name, register
from sovdeck.remote.servers.server import LoginPrompts, ServerSession
from sovdeck.remote.servers.sign_in import KeyInstallOffer
from sovdeck.remote.voices.listing import newest_run

# Ends of a run that say nothing of the voice: its server went down, or its process was killed.
_BROKEN_OFF = frozenset({"lost", "killed", "preempted"})
# A line that drops for a moment leaves no server running.
_HOME_TRIES, _HOME_PAUSE_S = 5, 5.0


class StepFailed(Exception):
    """A step failed and has said why by itself. code: the exit code."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(code)


class JourneyLeft(Exception):
    """Nobody follows the journey any more: its server is left as it is, with its lease."""


class NewServerPrompts(LoginPrompts, KeyInstallOffer, Protocol):
    """Questions of the first log-in; its provider, asked over TLS, says that the server is ours."""


class JourneySteps(Protocol):
    """What a journey does on its server, and whom it tells.

    A step that fails raises Problem or StepFailed; any may raise JourneyLeft.
    """

    def enter(self, station: Station, lease: Lease) -> None:
        """A station begins."""

    def report_waiting(self, lease: Lease, instance: Instance | None, seconds: float) -> None:
        """The server was looked at while it starts."""

    def new_server_prompts(self, address: InstanceAddress) -> NewServerPrompts:
        """Return what answers the first log-in to a server whose key nobody knows yet."""

    def server_ready(self, lease: Lease, address: InstanceAddress) -> None:
        """The server answers, and costs money from now on if nobody goes on."""

    def deploy(self, server: str) -> None:
        """Install the engine."""

    def fetch_weights(self, server: str) -> None:
        """Let the server fetch what training starts from."""

    def push(self, server: str) -> None:
        """Upload the recordings."""

    def arm_autostop(self, server: str, minutes: int) -> None:
        """Let the server stop itself after `minutes`; a refusal is said, not raised."""

    def train(self, server: str, *, pull_each_save: bool) -> None:
        """Train to the end of the run. pull_each_save: nothing outlives the server."""

    def resume_training(self, server: str, *, pull_each_save: bool) -> None:
        """Go on with the voice's training: `find_training` tells how."""

    def bring_home(self, server: str) -> bool:
        """Whether all that the voice's runs made lies here, verified, and no run goes on."""

    def report_problem(self, problem: Problem) -> None:
        """Something failed; what is done about it follows."""

    def left_running(self, lease: Lease) -> None:
        """Not all is home, so that the server was left running."""

    def ended(self, lease: Lease) -> None:
        """The provider confirmed the end."""


@dataclass
class RentalJourney:
    """One journey; `run` or `resume` once. project: the deploy.toml, None for the found one."""

    provider: Provider
    book: LeaseBook
    lease: Lease
    steps: JourneySteps
    clock: Clock
    app_paths: AppPaths
    project: Path | None

    def run(self, offer: Offer, disk: int) -> int:
        """Rent, train, bring home and end; the exit code of what failed, else 0.

        What fails before anything was trained ends the server at once: there is nothing on it.
        Later the server stays, and the person is told what it costs and what to do.
        """
        with self.book.following(self.lease.name):
            order = Order(offer, self.lease.name, ensure_key(self.app_paths.private_key), disk)
            self.steps.enter("create", self.lease)
            self.lease = create_server(self.provider, order, self.lease, self.book, self.clock)
            if code := self._prepare_or_end(self._wait_for_server):
                return code
            self._enter("train")
            code = self._step(
                lambda: self.steps.train(self.name, pull_each_save=not self.provider.can_stop)
            )
            return self._finish() or code

    def resume(self) -> int:
        """Go on from where nobody followed any more; the same promises and answers as of `run`.

        A stopped server is started again. Problem where there is none any more.
        """
        with self.book.following(self.lease.name):
            self.lease = self._find_server()
            if self.lease.home_at is not None:
                self._end(self.lease.end)
                return 0
            if self.lease.station == "end":  # of a server on which nothing was trained
                self._end("destroy", confirmed=True)
                return 0
            if self.lease.station in ("train", "home"):
                self._add(self._wake_server())
                self._arm_autostop()
            elif code := self._prepare_or_end(self._wake_server):
                return code
            self._enter("train")
            code = self._step(
                lambda: self.steps.resume_training(
                    self.name, pull_each_save=not self.provider.can_stop
                )
            )
            return self._finish() or code

    @property
    def name(self) -> str:
        """The server's name in the list of servers."""
        return self.lease.server

    def _find_server(self) -> Lease:
        """The lease of a server that is known to exist."""
        lease = self.lease
        if not lease.instance and lease.is_open:
            lease = settle_unknown(self.provider, lease, self.book, self.clock)
        if lease.is_open:
            seen = self.provider.find_instance(lease.instance)
            if seen is None or seen.state == "gone":
                lease = self.book.change(lease.name, ended_at=self.clock.now())
        if not lease.is_open:
            raise Problem("remote.rent.ended", ExitCode.CONFIG, name=lease.server or lease.name)
        if lease.rented is None:
            raise Problem(
                "remote.rent.rented_elsewhere", ExitCode.CONFIG, name=lease.server or lease.name
            )
        return lease

    def _prepare_or_end(self, find_address: Callable[[], InstanceAddress]) -> int:
        """Prepare the server; where that fails end it, and return the exit code of what failed."""
        code = self._step(lambda: self._prepare(find_address))
        if code:
            self._end("destroy", confirmed=True)
        return code

    def _step(self, step: Callable[[], None]) -> int:
        """The exit code of a step that failed, which has been told by then; else 0."""
        try:
            step()
        except StepFailed as failed:
            return failed.code
        except Problem as problem:
            self.steps.report_problem(problem)
            return int(problem.exit_code)
        except KeyboardInterrupt:
            return int(ExitCode.INTERRUPTED)
        return 0

    def _wait_for_server(self) -> InstanceAddress:
        return wait_until_ready(self.provider, self.lease, self.clock, self._report_waiting)

    def _wake_server(self) -> InstanceAddress:
        self.lease, address = start_again(
            self.provider, self.lease, self.book, self.clock, self._report_waiting
        )
        return address

    def _report_waiting(self, instance: Instance | None, seconds: float) -> None:
        self.steps.report_waiting(self.lease, instance, seconds)

    def _prepare(self, find_address: Callable[[], InstanceAddress]) -> None:
        self._enter("start")
        address = find_address()
        self._enter("add")
        self._add(address)
        self._enter("deploy")
        self.steps.deploy(self.name)
        self._enter("weights")
        self.steps.fetch_weights(self.name)
        self._enter("push")
        self.steps.push(self.name)
        self._enter("autostop")
        self._arm_autostop()

    def _add(self, address: InstanceAddress) -> None:
        self.lease = add_rented_server(
            self.lease,
            address,
            self.book,
            self.app_paths,
            self.project,
            self.steps.new_server_prompts(address),
        )
        self.steps.server_ready(self.lease, address)

    def _arm_autostop(self) -> None:
        """A refusal is said and goes on: the laptop and the next `rent ls` watch too."""
        hours = max(1.0, (self.lease.expires_at - self.clock.now()) / 3600)
        self.steps.arm_autostop(self.name, round(hours * 60))

    def _finish(self) -> int:
        """Bring everything home, then end as agreed; else say what it costs to wait."""
        self._enter("home")
        if not self._bring_home():
            self.steps.left_running(self.lease)
            return int(ExitCode.UNREACHABLE)
        self.lease = self.book.change(self.lease.name, home_at=self.clock.now())
        self._end(self.lease.end)
        return 0

    def _bring_home(self) -> bool:
        """Bring everything home, again where the line drops; whether it is here."""
        for _ in range(_HOME_TRIES - 1):
            try:
                return self.steps.bring_home(self.name)
            except Problem:  # the last one is told
                self.clock.sleep(_HOME_PAUSE_S)
        try:
            return self.steps.bring_home(self.name)
        except Problem as problem:
            self.steps.report_problem(problem)
            return False

    def _end(self, action: EndAction, *, confirmed: bool = False) -> None:
        self._enter("end")
        self.lease = end_server(
            self.provider, self.lease, self.book, action, self.clock, confirmed=confirmed
        )
        forget_ended_server(self.lease, self.app_paths, self.project)
        self.steps.ended(self.lease)

    def _enter(self, station: Station) -> None:
        self.lease = self.book.change(self.lease.name, station=station)
        self.steps.enter(station, self.lease)


TrainingTodo = Literal["start", "follow", "continue", "done"]


@dataclass(frozen=True)
class TrainingProgress:
    """How the voice's training stands on its server. run: its newest run, "" without one.

    todo: "start" it, "follow" the run that works or waits, "continue" the one that broke off, or
    nothing ("done"): it ended by itself, or a person stopped it.
    """

    run: str
    todo: TrainingTodo


def find_training(session: ServerSession, voice: str) -> TrainingProgress:
    """Return how the training of a voice stands on its server."""
    found = newest_run(session.connection(), session.layout(), voice)
    if found is None:
        return TrainingProgress("", "start")
    run = found[0]
    state = job_client.fetch_state(session.connection(), session.find_run(run))
    if not state.ended:
        return TrainingProgress(run, "follow")
    return TrainingProgress(run, "continue" if state.state in _BROKEN_OFF else "done")


def add_rented_server(
    lease: Lease,
    address: InstanceAddress,
    book: LeaseBook,
    app_paths: AppPaths,
    project: Path | None,
    prompts: NewServerPrompts,
) -> Lease:
    """Put the server into the list of servers, its host key pinned; an old entry is replaced."""
    config = load_config(project, app_paths)
    name = lease.server or free_name(f"{lease.provider}-{lease.voice}", config)
    register(
        address.ssh_line,
        config,
        app_paths,
        prompts,
        name=name,
        profile=lease.provider if lease.provider in PROVIDER_PROFILES else "auto",
        price_per_hour=lease.price_per_hour,
        currency=lease.currency,
        replace=bool(lease.server),
        offer=prompts,
    )
    return book.change(lease.name, server=name)


def forget_ended_server(lease: Lease, app_paths: AppPaths, project: Path | None) -> None:
    """Take a server that is gone off the list: its address may be somebody else's tomorrow."""
    if not lease.is_open and lease.server in load_config(project, app_paths).servers:
        servers_file.remove_server(app_paths, lease.server)
