"""A session with one saved server: everything a person does with it goes through here.

The commands of the command line and the services of the dashboard both stand on this, so that
what one can do the other can.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from packaging.version import Version

from sovdeck.engine import __version__
from sovdeck.engine.contract.catalogue import Text
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.remote.auth.credentials import Credentials
from sovdeck.remote.auth.keyring_store import SystemKeyring
from sovdeck.remote.autostop import watchdog
from sovdeck.remote.autostop.keep import apply_keep
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.config.schema import ProjectConfig, ServerSection
from sovdeck.remote.deploy import (
    Deployed,
    DeployOptions,
    DeployPlan,
    DeployStep,
    ReportStep,
    deploy,
    find_deployed,
    find_other_deployment,
    plan_for_server,
)
from sovdeck.remote.embedded.client import EmbeddedProcess, start_embedded
from sovdeck.remote.hosts.host_key_policy import SYSTEM_KNOWN_HOSTS, HostKeyPolicy
from sovdeck.remote.hosts.known_hosts import HostKey
from sovdeck.remote.hosts.spec import HostSpec
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.jobs.state import JobState
from sovdeck.remote.probe.facts import ServerFacts
from sovdeck.remote.probe.probe import probe_server
from sovdeck.remote.probe.providers import REACHED_HUBS, ProviderProfile, find_profile
from sovdeck.remote.secret import Secret
from sovdeck.remote.servers.machine_id import check_machine_id, machine_id_warning
from sovdeck.remote.servers.saved_spec import saved_spec
from sovdeck.remote.servers.sign_in import KeyInstallOffer, OfferOutcome, SignIn
from sovdeck.remote.ssh.client import SSHConnection
from sovdeck.remote.ssh.pool import ConnectionPool, ConnectionStatus

Confirm = Callable[[tuple[DeployStep, ...]], None]


class LoginPrompts(Protocol):
    """Questions that only a person can answer; called from the connecting thread."""

    @property
    def can_ask(self) -> bool:
        """Whether there is anybody to ask."""

    def host_key(self, key: HostKey, host: str, known_since: str) -> bool:
        """Whether the new host key of `host` is to be trusted.

        known_since: since when another key was known there; "" where none was.
        """

    def secret(self, server: str, prompt: str, *, again: bool = False) -> Secret | None:
        """The answer to a server's prompt for a password, passphrase or code; None gives up.

        again: what was typed before was refused.
        """


@dataclass(frozen=True)
class StartedRun:
    """A launched run.

    autostop_armed: its autostop watchdog was started. problems: why that, or the watch of [keep],
    could not be; the run goes on all the same.
    """

    handle: job_client.RunHandle
    autostop_armed: bool = False
    problems: tuple[Problem, ...] = ()


class ServerSession:
    """A saved server and the connection to it. Use as a context manager; safe from any thread."""

    def __init__(
        self,
        name: str,
        server: ServerSection,
        config: ProjectConfig,
        app_paths: AppPaths,
        prompts: LoginPrompts,
        *,
        accept: frozenset[str] = frozenset(),
        pool: ConnectionPool | None = None,
    ) -> None:
        self.name = name
        self.server = server
        self.config = config
        self.app_paths = app_paths
        self._prompts = prompts
        self._sign_in = SignIn(app_paths.private_key, SystemKeyring())
        self._accept = accept
        self._lock = threading.Lock()
        self._pool = pool or ConnectionPool()
        self._embedded: EmbeddedProcess | None = None
        self._deployed: Deployed | None = None
        self._used_since_report = False

    def __enter__(self) -> ServerSession:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; what runs on the server goes on."""
        self._pool.remove(self.name)
        with self._lock:
            if self._embedded is not None:
                self._embedded.close()
            self._embedded = None

    def connect(self) -> SSHConnection:
        """A connection of its own, which the caller closes: transfers use several."""
        if self.server.embedded:
            return self._connect_embedded()
        ask = self._prompts.secret if self._prompts.can_ask else None
        timeout = self.config.network.timeout
        return self._sign_in.connect(self.spec(), self.trust(), ask, timeout=timeout)

    def update_config(self, server: ServerSection, config: ProjectConfig) -> None:
        """Take an edited entry and config; the connection stays while its settings are the same."""
        before = self.deploy_config()
        self.server, self.config = server, config
        if self.deploy_config() != before:
            self._deployed = None  # another work folder, perhaps

    def spec(self) -> HostSpec:
        """Its address; Problem for the embedded server, which has none of its own."""
        return saved_spec(self.name, self.server, self.config.network.family)

    def connection(self) -> SSHConnection:
        """The shared connection, made anew when there is none or the last one died.

        A server that refused us raises that refusal again, unasked, until `retry`.
        """
        self._pool.add(self.name, self.server.connection_settings(), self.connect)
        return self._pool.connection(self.name)

    def status(self) -> ConnectionStatus:
        """How the shared connection stands."""
        self._pool.add(self.name, self.server.connection_settings(), self.connect)
        return self._pool.status(self.name)

    def retry(self) -> None:
        """Forget that the server refused us: a person asks for another try."""
        self._pool.add(self.name, self.server.connection_settings(), self.connect)
        self._pool.retry(self.name)

    def offer_passwordless(self, offer: KeyInstallOffer, *, wanted: bool = False) -> OfferOutcome:
        """After a log-in by password: offer a key, or to keep the password; see `SignIn`."""
        return self._sign_in.offer_passwordless(self.connection(), offer, wanted=wanted)

    def forget_password(self) -> bool:
        """Drop the password kept in the keyring; False when there was none."""
        return self._sign_in.forget_password(self.spec())

    def deploy_config(self) -> DeployOptions:
        """The deploy options that deploy.toml holds for this server."""
        config = self.config
        if self.server.embedded:
            work = config.paths.work or (self.app_paths.embedded_folder / "work").as_posix()
            return DeployOptions(work=work, python=sys.executable, profile="plain")
        python = config.python
        return DeployOptions(
            work=config.paths.work,
            python=python.path,
            indexes=python.index,
            wheels=python.wheels,
            relay=config.network.relay,
            torch=python.torch,
            torch_index=python.torch_index,
            profile=self.server.profile,
        )

    def deploy(self, report: ReportStep, confirm: Confirm | None = None) -> Deployed:
        """Deploy the engine there; one round trip when nothing changed."""
        deployed = deploy(
            self.connection(),
            self.deploy_config(),
            report,
            connection_source=self.connection,
            connect=self.connect,
            confirm=confirm,
        )
        self._deployed = deployed
        return deployed

    def facts(self, *, check_access: bool = False, check_hubs: bool = False) -> ServerFacts:
        """Probe the server: everything in one round trip.

        check_access: also what else the connection allows, and the speed of a core. check_hubs:
        also which public hubs of packages and models it reaches, which may take seconds.
        """
        config = self.deploy_config()
        hubs = REACHED_HUBS if check_hubs else ()
        return probe_server(
            self.connection(),
            work=config.work,
            python=config.python,
            sources=(*config.indexes, *self.config.models.sources, *hubs),
            check_access=check_access,
        )

    def profile(self, facts: ServerFacts | None = None) -> ProviderProfile:
        """The provider's profile: by the entry, the host's name, the marks, or the deployment's."""
        name: str = self.server.profile
        host = self.connection().spec.host
        if facts is not None:
            return find_profile(name, host, facts.provider_marks)
        deployed = self.find_deployment()
        if name == "auto" and deployed is not None:
            name = deployed.provider
        return find_profile(name, host)

    def stop_texts(self) -> tuple[Text, ...]:
        """What a stop of the server leaves of the work folder and for how long; all warnings.

        Nothing of the server of this computer, which nobody rents.
        """
        if self.server.embedded:
            return ()
        deployed, profile = self.require_deployment(), self.profile()
        kept = profile.kept_text(str(deployed.layout.work), deployed.mount)
        return (kept, *profile.warning_texts())

    def plan_deploy(self) -> DeployPlan:
        """The steps that `deploy` would carry out."""
        return plan_for_server(self.connection(), self.facts(), self.deploy_config())

    def find_deployment(self) -> Deployed | None:
        """The deployment that fits this program; None when there is none yet."""
        deployed = self._deployed
        if deployed is None:
            deployed = self._deployed = find_deployed(self.connection(), self.deploy_config())
        return deployed

    def start(self, spec: RunSpec, *, queue: bool = False) -> StartedRun:
        """Launch a run, and the watches that [autostop] and [keep] ask for."""
        connection, deployed = self.connection(), self.require_deployment()
        policy = watchdog.policy_from_config(
            self.config.autostop, self.server.price_per_hour, self.name
        )
        profile = self.profile()
        handle = job_client.start_run(connection, deployed, spec, queue=queue)
        problems: list[Problem] = []  # the run is worth having all the same
        try:
            apply_keep(connection, deployed, self.config.keep)
        except Problem as problem:
            problems.append(problem)
        armed = False
        try:
            armed = policy is not None and watchdog.ensure_watchdog(
                connection, deployed, policy, profile, poweroff=self.config.autostop.poweroff
            )
        except Problem as problem:
            if not watchdog.is_stop_refusal(problem):
                raise
            problems.append(problem)
        return StartedRun(handle, armed, tuple(problems))

    def stop(self, run: str | None, grace_s: float = job_client.STOP_GRACE_S) -> JobState:
        """Let a run save and end; it is killed when `grace_s` seconds have passed.

        None is the newest run that goes on.
        """
        handle = self.find_run(run, active=True)
        return job_client.stop_run(self.connection(), handle, grace_s)

    def mark_used(self) -> None:
        """Note that a person did something with this server; costs nothing until `report_use`."""
        self._used_since_report = True

    def report_use(self) -> None:
        """Tell the autostop watchdog, when a person acted since the last call."""
        if self._used_since_report and self._deployed is not None:
            self._used_since_report = False
            watchdog.mark_active(self.connection(), self._deployed.layout)

    def require_deployment(self) -> Deployed:
        """As `find_deployment`; Problem when there is none."""
        deployment = self.find_deployment()
        if deployment is None:
            raise self._missing_deployment()
        return deployment

    def _missing_deployment(self) -> Problem:
        other = find_other_deployment(self.connection(), self.deploy_config())
        if other.wiped is not None:
            return Problem(
                "remote.config.engine_wiped", ExitCode.CONFIG, name=self.name, work=other.wiped
            )
        here = Version(__version__)
        if other.version is None or other.version == here:
            return Problem("remote.config.not_deployed", ExitCode.CONFIG, name=self.name)
        age = "older" if other.version < here else "newer"
        return Problem(
            f"remote.config.engine_{age}",
            ExitCode.CONFIG,
            name=self.name,
            there=str(other.version),
            here=__version__,
        )

    def machine_warning(self) -> Text | None:
        """A warning when the name leads to another machine than before; None when it does not."""
        deployment = self.find_deployment()
        if deployment is None:
            return None
        match = check_machine_id(
            self.connection(),
            self.name,
            deployment.layout,
            self.app_paths.machine_ids_file,
        )
        return machine_id_warning(match, self.name)

    def running_on_warning(self) -> Text | None:
        """A warning when the server should have switched itself off and answers all the same."""
        deployment = self.find_deployment()
        if deployment is None:
            return None
        status = watchdog.fetch_watchdog_status(self.connection(), deployment.layout)
        return watchdog.running_on_warning(status, self.name) if status else None

    @property
    def outputs(self) -> Path:
        """The folder of this computer that voices are downloaded to."""
        return Path(self.config.paths.outputs).expanduser().absolute()

    def layout(self) -> Layout:
        """Where things lie on the server; Problem when nothing is deployed there."""
        return self.require_deployment().layout

    def find_run(self, run: str | None, *, active: bool = False) -> job_client.RunHandle:
        """The handle of a run; the newest one when none is named. Problem for an unknown one.

        active: the newest one that has not ended, where there is one.
        """
        layout = self.layout()
        if run is not None:
            handle = job_client.make_handle(layout, run)
            if job_client.fetch_state(self.connection(), handle).missing:
                raise Problem("remote.config.unknown_run", ExitCode.CONFIG, name=self.name, run=run)
            return handle
        found = [
            state
            for state in job_client.list_runs(self.connection(), layout)
            if is_training_run(state.run_id)
        ]
        if not found:
            raise Problem("remote.config.no_runs", ExitCode.CONFIG, name=self.name)
        going = [state for state in found if state.active] if active else []
        return job_client.make_handle(layout, (going or found)[-1].run_id)

    def trust(self) -> HostKeyPolicy:
        """The laptop's host-key policy: our own file, and the user's read beside it."""
        users = (Path.home() / ".ssh" / "known_hosts", SYSTEM_KNOWN_HOSTS)
        return HostKeyPolicy(
            self.app_paths.known_hosts,
            ask=self._prompts.host_key if self._prompts.can_ask else None,
            accepted_fingerprints=self._accept
            | ({self.server.host_key} if self.server.host_key else set()),
            known_hosts=[path for path in users if path.is_file()],
        )

    def _connect_embedded(self) -> SSHConnection:
        folder = self.app_paths.embedded_folder / "server"
        with self._lock:
            if self._embedded is None:
                self._embedded = start_embedded(folder, self.app_paths.embedded_folder / "home")
            server = self._embedded
        # Its host key is new at every start and a port may return, so nothing is remembered.
        store = folder / "known_hosts"
        store.unlink(missing_ok=True)
        trust = HostKeyPolicy(store, accepted_fingerprints=frozenset({server.fingerprint}))
        credentials = Credentials(use_agent=False, default_keys=False)
        return SSHConnection.connect(server.spec(), trust=trust, credentials=credentials)


def is_training_run(run: str) -> bool:
    """Whether a run id is a voice's run; installing and auditions are supervised runs too."""
    return not job_client.is_service(run)
