"""One server, opened: everything a person does with it goes through here.

The verbs of the command line and the services of the dashboard both stand on this, so that
what one can do the other can.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from engine.contract.catalogue import Text
from engine.contract.layout import Layout
from engine.contract.problem import ExitCode, Problem
from engine.contract.spec import RunSpec
from remote import job, watchman
from remote.acquaintance import meet, sentence
from remote.config.places import Places
from remote.config.schema import Config, Server
from remote.credentials import Credentials
from remote.deploy import DeployConfig, Deployed, Report, Step, deploy, ready, steps_for
from remote.embedded.client import EmbeddedProcess
from remote.embedded.client import start as start_embedded
from remote.facts import ServerFacts
from remote.hostspec import HostSpec
from remote.keychain import SystemKeychain
from remote.link import Link
from remote.pool import Pool, Status
from remote.probe import probe
from remote.profiles import find as find_profile
from remote.saved import saved_spec
from remote.secrets import Secret
from remote.trust import SYSTEM_FILE, Trust
from remote.welcome import Offer, Outcome, Welcome

Confirm = Callable[[tuple[Step, ...]], None]


class Dialog(Protocol):
    """Questions that only a person can answer; called from the connecting thread."""

    @property
    def can_ask(self) -> bool: ...
    def host_key(self, fingerprint: str, host: str) -> bool: ...
    def secret(self, server: str, prompt: str) -> Secret | None: ...


@dataclass(frozen=True)
class Started:
    """A launched run; armed: a watch for autostop was set; remark: why none could be."""

    handle: job.RunHandle
    armed: bool = False
    remark: Problem | None = None


class Studio:
    """A saved server with the link to it. Use as a context manager; safe from any thread."""

    def __init__(
        self,
        name: str,
        server: Server,
        config: Config,
        places: Places,
        dialog: Dialog,
        *,
        accept: frozenset[str] = frozenset(),
        pool: Pool | None = None,
    ) -> None:
        self.name = name
        self.server = server
        self.config = config
        self.places = places
        self._dialog = dialog
        self._welcome = Welcome(places.key, SystemKeychain())
        self._accept = accept
        self._lock = threading.Lock()
        self._pool = pool or Pool()
        self._embedded: EmbeddedProcess | None = None
        self._deployed: Deployed | None = None
        self._used = False

    def __enter__(self) -> Studio:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the link; what runs on the server goes on."""
        self._pool.remove(self.name)
        with self._lock:
            if self._embedded is not None:
                self._embedded.close()
            self._embedded = None

    def connect(self) -> Link:
        """A link of its own: transfers carry bytes over several."""
        if self.server.embedded:
            return self._connect_embedded()
        ask = self._dialog.secret if self._dialog.can_ask else None
        timeout = self.config.network.timeout
        return self._welcome.connect(self.spec(), self.trust(), ask, timeout=timeout)

    def renew(self, server: Server, config: Config) -> None:
        """Go by an entry and a file that were edited; the link stays while the way is the same."""
        wished = self.wish()
        self.server, self.config = server, config
        if self.wish() != wished:
            self._deployed = None  # another work folder, perhaps

    def spec(self) -> HostSpec:
        """Its address; Problem for the embedded server, which has none of its own."""
        return saved_spec(self.name, self.server, self.config.network.family)

    def link(self) -> Link:
        """The shared link, made anew when there is none or the last one died.

        A server that refused us raises that refusal again, unasked, until `retry`.
        """
        self._pool.add(self.name, self.server.way_there(), self.connect)
        return self._pool.link(self.name)

    def status(self) -> Status:
        """How the shared link stands."""
        self._pool.add(self.name, self.server.way_there(), self.connect)
        return self._pool.status(self.name)

    def retry(self) -> None:
        """A person asks for it: forget that the server refused us."""
        self._pool.add(self.name, self.server.way_there(), self.connect)
        self._pool.retry(self.name)

    def settle(self, offer: Offer, *, wanted: bool = False) -> Outcome:
        """After a log-in by password: offer what spares the next question; see `Welcome`."""
        return self._welcome.settle(self.link(), offer, wanted=wanted)

    def forget_password(self) -> bool:
        """Drop the password kept in the keyring; False when there was none."""
        return self._welcome.drop(self.spec())

    def wish(self) -> DeployConfig:
        """What deploy.toml asks of this server."""
        config = self.config
        if self.server.embedded:
            work = self.places.embedded / "work"
            return DeployConfig(work=work.as_posix(), python=sys.executable, profile="plain")
        python = config.python
        return DeployConfig(
            work=config.paths.work, python=python.path, indexes=python.index,
            wheels=python.wheels, relay=config.network.relay, torch=python.torch,
            torch_index=python.torch_index, profile=self.server.profile,
        )  # fmt: skip

    def deploy(self, report: Report, confirm: Confirm | None = None) -> Deployed:
        """Bring the engine there; one round trip when nothing changed."""
        deployed = deploy(
            self.link(), self.wish(), report,
            link_source=self.link, connect=self.connect, confirm=confirm,
        )  # fmt: skip
        self._deployed = deployed
        return deployed

    def facts(self, *, check_sftp: bool = False) -> ServerFacts:
        """Ask the server everything at once."""
        wish = self.wish()
        profile = find_profile(wish.profile, self.link().spec.host)
        return probe(
            self.link(), work=wish.work, python=wish.python, folders=profile.folders,
            sources=(*wish.indexes, *self.config.models.sources), check_sftp=check_sftp,
        )  # fmt: skip

    def plan_deploy(self) -> tuple[Step, ...]:
        """What `deploy` would do."""
        return steps_for(self.facts(), self.wish(), self.link().spec.host)

    def standing(self) -> Deployed | None:
        """The deployment that fits this program; None when there is none yet."""
        deployed = self._deployed
        if deployed is None:
            deployed = self._deployed = ready(self.link(), self.wish())
        return deployed

    def start(self, spec: RunSpec, *, queue: bool = False) -> Started:
        """Launch a run, and the watch that [autostop] asks for where there is none yet."""
        link, deployed = self.link(), self.deployed()
        policy = watchman.policy_of(self.config.autostop, self.server.price_per_hour, self.name)
        profile = find_profile(self.server.profile, link.spec.host)
        handle = job.start(link, deployed, spec, queue=queue)
        if policy is None:
            return Started(handle)
        try:
            return Started(handle, watchman.keep(link, deployed, policy, profile))
        except Problem as problem:
            if problem.key != "remote.autostop.no_stop":
                raise
            return Started(handle, remark=problem)  # the run is worth having all the same

    def used(self) -> None:
        """A person did something with this server; costs nothing until `pass_on_use`."""
        self._used = True

    def pass_on_use(self) -> None:
        """Tell a watch for autostop, when a person acted since the last call."""
        if self._used and self._deployed is not None:
            self._used = False
            watchman.mark_asked(self.link(), self._deployed.layout)

    def deployed(self) -> Deployed:
        """As `standing`; Problem when there is none."""
        standing = self.standing()
        if standing is None:
            raise Problem("remote.config.not_deployed", ExitCode.CONFIG, name=self.name)
        return standing

    def recognise(self) -> Text | None:
        """What a person should know of the machine behind the name; None for nothing new."""
        standing = self.standing()
        if standing is None:
            return None
        found = meet(self.link(), self.name, str(standing.layout.work), self.places.identities)
        return sentence(found, self.name)

    def layout(self) -> Layout:
        return self.deployed().layout

    def run(self, run: str | None) -> job.RunHandle:
        """The handle of a run; the newest one when none is named."""
        layout = self.layout()
        if run is None:
            found = [state.run for state in job.runs(self.link(), layout) if is_training(state.run)]
            if not found:
                raise Problem("remote.config.no_runs", ExitCode.CONFIG, name=self.name)
            run = found[-1]
        return job.handle(layout, run)

    def trust(self) -> Trust:
        """The laptop's host-key policy: our own file, and the user's read beside it."""
        users = (Path.home() / ".ssh" / "known_hosts", SYSTEM_FILE)
        return Trust(
            self.places.known_hosts,
            ask=self._dialog.host_key if self._dialog.can_ask else None,
            accepted=self._accept | ({self.server.host_key} if self.server.host_key else set()),
            known_hosts=[path for path in users if path.is_file()],
        )

    def _connect_embedded(self) -> Link:
        folder = self.places.embedded / "server"
        with self._lock:
            if self._embedded is None:
                self._embedded = start_embedded(folder, self.places.embedded / "home")
            server = self._embedded
        # Its host key is new at every start and a port may return, so nothing is remembered.
        store = folder / "known_hosts"
        store.unlink(missing_ok=True)
        trust = Trust(store, accepted=frozenset({server.fingerprint}))
        credentials = Credentials(use_agent=False, default_keys=False)
        return Link.connect(server.spec(), trust=trust, credentials=credentials)


def is_training(run: str) -> bool:
    """Whether a run id is a voice's run; installing and auditions are supervised runs too."""
    return not run.startswith((job.INSTALL, job.AUDITION))
