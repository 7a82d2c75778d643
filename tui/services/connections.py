"""The open servers of a dashboard: one session a saved server, shared by all services."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sovdeck.remote.config import servers_file
from sovdeck.remote.config.load import load_config
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.config.schema import ProjectConfig, ServerSection
from sovdeck.remote.embedded.client import is_embedded_installed
from sovdeck.remote.hosts.known_hosts import HostKey
from sovdeck.remote.secret import Secret
from sovdeck.remote.servers.saved_spec import saved_spec
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.servers.sign_in import is_reusable_prompt
from sovdeck.remote.ssh.client import SSHConnection
from sovdeck.remote.ssh.pool import ConnectionPool, ConnectionStatus
from sovdeck.tui.services.protocols import Prompts
from sovdeck.tui.state.prompts import HostKeyPrompt, OfferPrompt, SecretPrompt
from sovdeck.tui.state.server_models import SavedServer

StatusListener = Callable[[ConnectionStatus], None]


class DashboardLoginPrompts:
    """Turns the login prompts of a connection into those of the dashboard.

    Prompts appear only while a server is being watched or added. A connection that is made anew in
    between uses the answers that were given then, and is refused when there are none.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self.prompts: Prompts | None = None
        self._declined: set[OfferPrompt] = set()
        self._typed: dict[tuple[str, str], Secret] = {}
        self._known: dict[tuple[str, str], Secret] = {}

    def answer_once_more(self) -> None:
        """Let the next session ask for nothing that was typed for this one, except codes."""
        self._known, self._typed = self._typed, {}

    @property
    def can_ask(self) -> bool:
        """Whether the dashboard can show prompts now."""
        return self.prompts is not None

    def host_key(self, key: HostKey, host: str, known_since: str) -> bool:
        """Whether the person trusts the key."""
        if self.prompts is None:
            return False
        prompt = HostKeyPrompt(
            self._server, host, key.key_type, key.fingerprint, known_since or None
        )
        return self.prompts.confirm_host_key(prompt)

    def secret(self, server: str, prompt: str, *, again: bool = False) -> Secret | None:
        """The password or passphrase the person typed; None when refused."""
        known = self._known.pop((server, prompt), None)
        if known is not None and not again:
            return known
        if self.prompts is None:
            return None
        typed = self.prompts.ask_secret(SecretPrompt(self._server, server, prompt, again))
        if not typed:
            return None
        if is_reusable_prompt(prompt):
            self._typed[server, prompt] = Secret(typed)
        return Secret(typed)

    def install_key(self, server: str) -> bool:
        """Whether to install a key of ours on the server."""
        return self._accepts_offer(OfferPrompt(self._server, "key"))

    def keep_password(self, server: str) -> bool:
        """Whether to keep the password in the system's keyring."""
        return self._accepts_offer(OfferPrompt(self._server, "keyring"))

    def _accepts_offer(self, prompt: OfferPrompt) -> bool:
        """A declined offer is not made again while the dashboard is open."""
        if self.prompts is None or prompt in self._declined:
            return False
        accepted = self.prompts.accept_offer(prompt)
        if not accepted:
            self._declined.add(prompt)
        return accepted


class ConnectionRegistry:
    """Opens the session of each server once; `close` ends all connections."""

    def __init__(self, project: Path | None, app_paths: AppPaths) -> None:
        self.project = project
        self.app_paths = app_paths
        self._lock = threading.Lock()
        self._listeners: list[tuple[str, StatusListener]] = []
        self._offered: dict[str, SSHConnection] = {}
        self._pool = ConnectionPool(on_change=self._notify_listeners)
        self._sessions: dict[str, tuple[ServerSession, DashboardLoginPrompts]] = {}
        self._handed_on: dict[str, DashboardLoginPrompts] = {}

    def config(self) -> ProjectConfig:
        """deploy.toml as it is now: a person may edit it while the dashboard is open."""
        return load_config(self.project, self.app_paths)

    def session(self, name: str, prompts: Prompts | None = None) -> ServerSession:
        """The session for what a person asked for: the server counts as used."""
        session = self.background_session(name, prompts)
        session.mark_used()
        return session

    def background_session(self, name: str, prompts: Prompts | None = None) -> ServerSession:
        """The session for what goes on by itself."""
        config = self.config()
        _, server = servers_file.select_server(config, name)
        with self._lock:
            entry = self._sessions.get(name)
            if (
                entry is not None
                and entry[0].server.connection_settings() != server.connection_settings()
            ):
                entry[0].close()
                entry = None
            if entry is None:
                login_prompts = self._handed_on.pop(name, None) or DashboardLoginPrompts(name)
                session = ServerSession(
                    name, server, config, self.app_paths, login_prompts, pool=self._pool
                )
                entry = self._sessions[name] = (session, login_prompts)
            else:
                entry[0].update_config(server, config)
            if prompts is not None:
                entry[1].prompts = prompts
            return entry[0]

    def hand_on(self, name: str, login_prompts: DashboardLoginPrompts) -> None:
        """Let the next session of a server begin with what a person has just answered."""
        login_prompts.answer_once_more()
        with self._lock:
            self._handed_on[name] = login_prompts

    def offer_passwordless_login(self, name: str) -> None:
        """After a login by password, offer a key or the keyring, once a connection."""
        session, login_prompts = self._sessions[name]
        connection = session.connection()
        with self._lock:
            if self._offered.get(name) is connection:
                return
            self._offered[name] = connection
        session.offer_passwordless(login_prompts)

    @contextmanager
    def subscribe(self, name: str, listener: StatusListener) -> Iterator[None]:
        """Call `listener` at every change of a server's connection."""
        self._listeners.append((name, listener))
        try:
            yield
        finally:
            self._listeners.remove((name, listener))

    def _notify_listeners(self, status: ConnectionStatus) -> None:
        for name, listener in list(self._listeners):
            if name == status.name:
                listener(status)

    def close_session(self, name: str) -> None:
        """End a server's connection and forget its session."""
        with self._lock:
            entry = self._sessions.pop(name, None)
        if entry is not None:
            entry[0].close()

    def switch_project(self, project: Path | None, app_paths: AppPaths) -> None:
        """Work from another project and server list; connections to the old servers end."""
        self.close()
        self.project, self.app_paths = project, app_paths

    def close(self) -> None:
        """End all connections."""
        for name in list(self._sessions):
            self.close_session(name)

    def saved_servers(self) -> tuple[SavedServer, ...]:
        """The saved list, as deploy.toml and servers.toml have it now.

        This computer itself is listed only where it has the parts to be a server.
        """
        can_be_here = is_embedded_installed()
        return tuple(
            _saved_server(name, server)
            for name, server in self.config().servers.items()
            if can_be_here or not server.embedded
        )


def _saved_server(name: str, server: ServerSection) -> SavedServer:
    address = ""
    if not server.embedded:
        spec = saved_spec(name, server)
        user = f"{spec.user}@" if spec.user else ""
        address = f"{user}{spec.host}:{spec.port}"
    return SavedServer(name, address, server.profile, server.price_per_hour, server.currency)


def now_ms() -> int:
    """The time, in Unix milliseconds."""
    return int(time.time() * 1000)
