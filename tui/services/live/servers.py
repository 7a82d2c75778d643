"""Real servers: the saved list, and one long watch a server over its session."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sovdeck.engine.contract.catalogue import Text
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.config import servers_file
from sovdeck.remote.hosts.spec import HostSpec
from sovdeck.remote.hosts.ssh_config import resolve_host_spec
from sovdeck.remote.jobs.run_watch import RunWatch
from sovdeck.remote.probe.telemetry import TelemetrySample, TelemetryStream
from sovdeck.remote.servers.add import free_name, register
from sovdeck.remote.servers.server import ServerSession, is_training_run
from sovdeck.remote.ssh.client import ConnectionLost, SSHConnection
from sovdeck.remote.ssh.pool import ConnectionState, ConnectionStatus, retry_pause
from sovdeck.tui.services.connections import ConnectionRegistry, DashboardLoginPrompts, now_ms
from sovdeck.tui.services.converters import probe_server, to_job_status, to_telemetry
from sovdeck.tui.services.protocols import Cancel, Emit, Prompts
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.server_models import ParsedSSHLine, ServerConnectionState, ServerDraft

POLL_S = 3.0
RUNNING_ON_POLLS = 20  # a server that should be off is looked for once a minute
LOST_CHECK_S = 1.0  # short beside the 4 s after which a connection is found dead
_CONNECTION_STATES: dict[ConnectionState, ServerConnectionState] = {
    "offline": "offline",
    "connecting": "connecting",
    "up": "up",
    "auth-needed": "auth_needed",
    "refused": "refused",
}


class LiveServers:
    """The saved servers, and what is seen on them."""

    def __init__(self, connections: ConnectionRegistry) -> None:
        self._connections = connections

    def load(self, emit: Emit) -> None:
        """Emit the saved servers."""
        emit(ev.ServersLoaded(self._connections.saved_servers()))

    def parse(self, line: str) -> ParsedSSHLine:
        """Resolve a pasted ssh line, with the ssh config of this computer."""
        spec = resolve_host_spec(line)
        name = free_name(spec.alias or spec.host, self._connections.config())
        return ParsedSSHLine(
            name,
            _address(spec),
            spec.user,
            spec.host,
            spec.port,
            spec.identity,
            tuple(_address(hop) for hop in spec.jump),
        )

    def add(self, draft: ServerDraft, prompts: Prompts, emit: Emit, cancel: Cancel) -> None:
        """Connect, confirm the host key, and save the server."""
        login_prompts = DashboardLoginPrompts(draft.name)
        login_prompts.prompts = prompts
        added = register(
            draft.line,
            self._connections.config(),
            self._connections.app_paths,
            login_prompts,
            name=draft.name,
            offer=login_prompts,
            price_per_hour=draft.price_per_hour,
            currency=draft.currency or "USD",
        )
        self._connections.hand_on(draft.name, login_prompts)
        emit(ev.ServersLoaded(self._connections.saved_servers()))
        why = added.not_eased
        if why is not None:
            emit(ev.NoticeRaised("warning", why.message, now_ms(), why.hint))

    def remove(self, server: str, emit: Emit) -> None:
        """Take the server off the list and close its connection."""
        servers_file.remove_server(self._connections.app_paths, server)
        self._connections.close_session(server)
        emit(ev.ServersLoaded(self._connections.saved_servers()))

    def watch(self, server: str, prompts: Prompts, emit: Emit, cancel: Cancel) -> None:
        """Keep a connection with back-off; emit status, facts, telemetry and jobs."""

        def emit_status(status: ConnectionStatus) -> None:
            why = status.problem.message if status.problem else None
            emit(ev.ConnectionChanged(server, _CONNECTION_STATES[status.state], now_ms(), why))

        self.load(emit)  # an entry may have been edited: its price, for one
        session = self._connections.session(server, prompts)
        with self._connections.subscribe(server, emit_status):
            session.retry()
            emit_status(session.status())
            while not cancel.is_set():
                try:
                    self._watch_connection(session, emit, cancel)
                except Problem as problem:
                    status = session.status()  # also notices that the connection was lost
                    if problem.exit_code is not ExitCode.UNREACHABLE:
                        raise
                    cancel.wait(status.retry_in_s or retry_pause(1))
                    session = self._connections.background_session(
                        server, prompts
                    )  # its address may be another now

    def _watch_connection(self, session: ServerSession, emit: Emit, cancel: Cancel) -> None:
        """Emit facts once, then telemetry and jobs until cancelled or disconnected."""
        connection = session.connection()
        try:
            self._connections.offer_passwordless_login(session.name)
        except Problem as problem:
            if not connection.alive:
                raise
            emit(ev.NoticeRaised("warning", problem.message, now_ms(), problem.hint))
        emit(ev.FactsSeen(session.name, probe_server(session), now_ms()))
        remark = session.machine_warning()
        if remark is not None:
            emit(ev.NoticeRaised("warning", remark, now_ms()))
        deployed = session.find_deployment()
        work = str(deployed.layout.work) if deployed else "/"
        watch = TelemetryStream(session.connection, work)
        _start_reader(
            "telemetry", session.name, partial(_emit_telemetry, session.name, watch, emit)
        )
        run_watch: RunWatch | None = None
        told: Text | None = None
        try:
            for poll in itertools.count():
                if cancel.is_set():
                    break
                if not connection.alive:
                    raise ConnectionLost(session.name, connection.failure_reason())
                deployed = deployed or session.find_deployment()
                if deployed is not None:
                    session.report_use()
                    if run_watch is None:
                        run_watch = RunWatch(session.connection, deployed.layout)
                        _start_reader(
                            "runs", session.name, partial(_emit_jobs, session.name, run_watch, emit)
                        )
                    if poll % RUNNING_ON_POLLS == 0:
                        warning = session.running_on_warning()
                        if warning is not None and warning != told:
                            emit(ev.NoticeRaised("bad", warning, now_ms(), server=session.name))
                        told = warning
                _wait_for_next_poll(connection, cancel)
        finally:
            watch.close()
            if run_watch is not None:
                run_watch.close()


def _start_reader(kind: str, server: str, target: Callable[[], None]) -> None:
    threading.Thread(target=target, daemon=True, name=f"{kind}:{server}").start()


def _emit_jobs(server: str, watch: RunWatch, emit: Emit) -> None:
    try:
        for states in watch.changes():
            for state in states:
                if is_training_run(state.run_id):
                    emit(ev.JobSeen(to_job_status(server, state), now_ms()))
    except Problem as problem:
        # The server refuses us: the watch of the connection meets the same and tells it.
        logging.getLogger(__name__).info("runs of %s: %s", server, problem.key)


def _emit_telemetry(server: str, watch: TelemetryStream, emit: Emit) -> None:
    sample: TelemetrySample
    for sample in watch.samples():
        emit(ev.TelemetrySeen(server, to_telemetry(sample), now_ms()))


def _wait_for_next_poll(connection: SSHConnection, cancel: Cancel) -> None:
    """Wait until the next poll, or until the connection is dead or cancelled."""
    for _ in range(round(POLL_S / LOST_CHECK_S)):
        if not connection.alive or cancel.wait(LOST_CHECK_S):
            return


def _address(spec: HostSpec) -> str:
    return replace(spec, alias="", identity=(), jump=()).format().removeprefix("ssh ")
