"""The steps of a rental in the dashboard: its own services, so that every screen shows them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, TypeVar

from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.dataset.check import MeasureFile
from sovdeck.engine.contract.format import format_money
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import TINY_PRESETS
from sovdeck.remote.autostop import watchdog
from sovdeck.remote.config.sections import AutostopSection
from sovdeck.remote.hosts.known_hosts import HostKey
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.rent.journey import JourneyLeft, StepFailed, find_training
from sovdeck.remote.rent.leases import Lease
from sovdeck.remote.rent.provider import Instance, InstanceAddress, Station
from sovdeck.remote.rent.rented_voice import RentedVoice
from sovdeck.remote.secret import Secret
from sovdeck.remote.transfer.core.progress import TransferProgress
from sovdeck.remote.voices.dataset import push_recordings, read_recordings
from sovdeck.remote.voices.sync import sync
from sovdeck.remote.voices.sync_policy import SyncPolicy
from sovdeck.remote.voices.transfer_options import TransferOptions
from sovdeck.tui.services.connections import ConnectionRegistry, now_ms
from sovdeck.tui.services.converters import with_progress
from sovdeck.tui.services.live.deploys import LiveDeploys
from sovdeck.tui.services.live.training import LiveTraining
from sovdeck.tui.services.protocols import Cancel, Emit, Prompts
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.models import TrainDraft, Transfer
from sovdeck.tui.state.prompts import SecretPrompt
from sovdeck.tui.state.rent_models import JourneyEnd, JourneyView
from sovdeck.tui.state.server_models import Remark

Result = TypeVar("Result")
_POLL_S = 3.0
_PULL_POLLS = 20  # between two looks for new saves
_LOST_POLLS = 200  # a server that is not reached for ten minutes is not waited for


class RentedServerPrompts:
    """The first log-in to a server that its provider, asked over TLS, says is ours.

    Its host key is new to everybody, also where another server had the address before: it is told
    and pinned. A password that the provider made is given once; then a person is asked.
    """

    can_ask = True

    def __init__(self, password: Secret | None, prompts: Prompts, emit: Emit) -> None:
        self._password, self._prompts, self._emit = password, prompts, emit

    def host_key(self, key: HostKey, host: str, known_since: str) -> bool:
        """Tell the key and trust it."""
        pinned = text("tui.rent.pinned", host=host, fingerprint=key.fingerprint)
        self._emit(ev.NoticeRaised("note", pinned, now_ms()))
        return True

    def secret(self, server: str, prompt: str, *, again: bool = False) -> Secret | None:
        """The provider's password, once."""
        password, self._password = self._password, None
        if password is not None:
            return password
        typed = self._prompts.ask_secret(SecretPrompt(server, server, prompt, again))
        return Secret(typed) if typed else None

    def install_key(self, server: str) -> bool:
        """Yes: the password was made for a program."""
        return True

    def keep_password(self, server: str) -> bool:
        """No: a key takes its place."""
        return False


class DashboardSteps:
    """Implements `sovdeck.remote.rent.journey.JourneySteps`.

    cancel: nobody follows any more; then every step ends with JourneyLeft.
    """

    def __init__(
        self,
        connections: ConnectionRegistry,
        deploys: LiveDeploys,
        training: LiveTraining,
        measure: MeasureFile,
        rented: RentedVoice,
        lease: Lease,
        can_stop: bool,
        prompts: Prompts,
        emit: Emit,
        cancel: Cancel,
    ) -> None:
        self._connections, self._deploys, self._training = connections, deploys, training
        self._measure, self._rented, self._prompts = measure, rented, prompts
        self._emit, self._cancel = emit, cancel
        self._view = JourneyView(
            lease.name,
            lease.server,
            lease.voice,
            lease.gpu,
            lease.provider,
            lease.price_per_hour,
            lease.currency,
            round(lease.created_at * 1000),
            lease.end,
            can_stop,
            lease.station,
        )

    def enter(self, station: Station, lease: Lease) -> None:
        """Show the station."""
        self._check_followed()
        self._show(replace(self._view, station=station, server=lease.server))

    def report_waiting(self, lease: Lease, instance: Instance | None, seconds: float) -> None:
        """Nothing but the cost changes while it starts, and the clock shows that."""

    def new_server_prompts(self, address: InstanceAddress) -> RentedServerPrompts:
        """Return what answers the first log-in."""
        return RentedServerPrompts(address.password, self._prompts, self._emit)

    def server_ready(self, lease: Lease, address: InstanceAddress) -> None:
        """Show the server in the list."""
        self._show(replace(self._view, server=lease.server))
        self._emit(ev.ServersLoaded(self._connections.saved_servers()))
        self._emit(ev.ServerChosen(lease.server))

    def deploy(self, server: str) -> None:
        """Deploy as the Deploy screen does."""
        self._do(lambda: self._deploys.apply(server, self._emit, self._cancel))

    def fetch_weights(self, server: str) -> None:
        """Let the server fetch what the preset starts from; nothing for a tiny one."""
        preset = self._rented.preset
        if preset not in TINY_PRESETS:
            self._do(lambda: self._deploys.fetch_weights(server, preset, self._emit, self._cancel))

    def push(self, server: str) -> None:
        """Upload the recordings as the Dataset screen does."""
        rented = self._rented

        def push() -> None:
            recordings = read_recordings(rented.voice, rented.list_file, rented.wavs, self._measure)
            session = self._connections.session(server)
            report, finish = self._report_transfer("push", server, recordings.bytes)
            options = TransferOptions.from_config(session.config, report, self._cancel)
            push_recordings(session, recordings, options)
            finish()

        self._do(push)

    def arm_autostop(self, server: str, minutes: int) -> None:
        """Arm the server's own watch; a refusal is told."""

        def arm() -> None:
            session = self._connections.session(server)
            policy = watchdog.policy_from_config(
                AutostopSection(max_time=f"{minutes}m"), session.server.price_per_hour, server
            )
            assert policy is not None, "it has a time"
            watchdog.start_watchdog(
                session.connection(), session.require_deployment(), policy, session.profile()
            )

        try:
            self._do(arm)
        except Problem as problem:
            self._emit(ev.NoticeRaised("warning", problem.message, now_ms(), problem.hint))

    def train(self, server: str, *, pull_each_save: bool) -> None:
        """Start the run, which the Monitor shows, and wait for its end."""
        self._train(server, "", pull_each_save)

    def resume_training(self, server: str, *, pull_each_save: bool) -> None:
        """Wait for the end of the run that is there, or continue one that broke off, or start."""
        session = self._connections.session(server)
        training = self._do(lambda: find_training(session, self._rented.voice))
        if training.todo in ("start", "continue"):
            self._train(server, training.run, pull_each_save)
        else:  # of one that is over the end is read, never made anew
            self._follow(server, training.run, pull_each_save)

    def bring_home(self, server: str) -> bool:
        """Download what is new, and tell whether nothing would be lost with the server."""
        return self._do(lambda: self._sync(server, background=False))

    def show_problem(self, problem: Problem) -> None:
        """Show it with the journey."""
        remark = Remark("bad", problem.message, problem.hint)
        self._show(replace(self._view, remark=remark))

    def report_problem(self, problem: Problem) -> None:
        """Show it with the journey, and as a notice."""
        self.show_problem(problem)
        self._emit(ev.NoticeRaised("bad", problem.message, now_ms(), problem.hint))

    def left_running(self, lease: Lease) -> None:
        """Show what it costs to wait, and what to do."""
        price = format_money(lease.price_per_hour, lease.currency)
        facts = {"voice": lease.voice, "name": lease.server, "price": price}
        problem = Problem("tui.rent.not_home_left", ExitCode.UNREACHABLE, **facts)
        self.report_problem(problem)
        self._end("left_running")

    def ended(self, lease: Lease) -> None:
        """Show that the provider confirmed the end, and what it cost."""
        self._connections.close_session(lease.server)
        self._emit(ev.ServersLoaded(self._connections.saved_servers()))
        key = "tui.rent.stopped" if lease.is_open else "tui.rent.destroyed"
        facts = {
            "name": lease.server or lease.name,
            "provider": lease.provider,
            "cost": format_money(lease.cost_at(now_ms() / 1000), lease.currency),
        }
        self._emit(ev.NoticeRaised("good", text(key, **facts), now_ms()))
        self._end("failed" if lease.home_at is None else "done")

    def close(self) -> None:
        """Show that the journey is over, also where it failed on its way."""
        if not self._view.ended:
            self._end("failed")

    def _end(self, how: JourneyEnd) -> None:
        self._show(replace(self._view, ended=how, ended_at=now_ms()))

    def _show(self, view: JourneyView) -> None:
        self._view = view
        self._emit(ev.JourneyChanged(view))

    def _do(self, step: Callable[[], Result]) -> Result:
        """Do a step; JourneyLeft where it ended because nobody follows any more."""
        try:
            result = step()
        except Problem:
            self._check_followed()
            raise
        self._check_followed()
        return result

    def _check_followed(self) -> None:
        if self._cancel.is_set():
            raise JourneyLeft

    def _pause(self, seconds: float) -> None:
        self._cancel.wait(seconds)
        self._check_followed()

    def _train(self, server: str, run: str, pull_each_save: bool) -> None:
        """Start a run, or continue the one that is named, and wait for its end."""
        rented = self._rented
        draft = TrainDraft(server, rented.voice, rented.preset, dict(rented.params), run=run)
        started = self._do(lambda: self._training.start(draft, self._emit, self._cancel))
        self._follow(server, started, pull_each_save)

    def _follow(self, server: str, run: str, pull_each_save: bool) -> None:
        self._emit(ev.RunChosen(server, run))
        code = self._do(lambda: self._wait_for_end(server, run, pull_each_save))
        if code:
            raise StepFailed(code)

    def _wait_for_end(self, server: str, run: str, pull_each_save: bool) -> int:
        """The exit code of the run; an unreachable server is waited for, but not for ever."""
        lost = 0
        for poll in itertools.count(1):
            self._pause(_POLL_S)
            try:
                session = self._connections.background_session(server)
                handle = job_client.make_handle(session.layout(), run)
                state = job_client.fetch_state(session.connection(), handle)
                lost = 0
            except Problem as problem:
                lost += 1
                if problem.exit_code is not ExitCode.UNREACHABLE or lost >= _LOST_POLLS:
                    raise
                continue
            if state.ended:
                if state.code is not None:
                    return state.code
                return int(ExitCode.OK if state.state == "succeeded" else ExitCode.INTERNAL)
            if pull_each_save and poll % _PULL_POLLS == 0:
                self._pull_saves(server)
        raise AssertionError("unreachable")

    def _pull_saves(self, server: str) -> None:
        try:
            self._sync(server, background=True)
        except Problem as problem:
            self._emit(ev.NoticeRaised("warning", problem.message, now_ms(), problem.hint))

    def _sync(self, server: str, *, background: bool) -> bool:
        """Whether all that the voice's runs made lies here, verified, and no run goes on."""
        session = self._connections.session(server)
        report, finish = self._report_transfer("pull", server, None)
        options = TransferOptions.from_config(
            session.config, report, self._cancel, background=background
        )
        result = sync(
            session,
            self._rented.voice,
            session.outputs,
            options,
            policy=SyncPolicy.EACH_CHECKPOINT,
        )
        finish()
        return result.switch_off.safe

    def _report_transfer(
        self, kind: Literal["push", "pull"], server: str, total: int | None
    ) -> tuple[Callable[[TransferProgress], None], Callable[[], None]]:
        """What tells of a transfer, and what ends it."""
        voice = self._rented.voice
        row = Transfer(
            f"rent-{kind}:{server}",
            "push" if kind == "push" else "pull",
            server,
            voice,
            total=total,
        )

        def report(progress: TransferProgress) -> None:
            nonlocal row
            row = with_progress(row, progress)
            self._emit(ev.TransferChanged(row))

        def finish() -> None:
            # Nothing that arrived gets its name before it was verified.
            done = row.total or row.done
            ended = replace(row, state="done", phase="", verified=True, done=done, total=done)
            self._emit(ev.TransferChanged(ended))

        return report, finish
