"""The opened servers of a dashboard: one studio a saved server, shared by all services."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from remote.config import book
from remote.config.load import load
from remote.config.places import Places
from remote.config.schema import Config, Server
from remote.secrets import Secret
from remote.studio import Studio, saved_spec
from tui.services.protocols import Asks, HostKeyQuestion, SecretQuestion
from tui.state.facts import SavedServer


class AskingDialog:
    """Turns the questions of a link into those of the dashboard.

    Questions come up only while a server is being watched or added; a link that is made anew
    in between uses the answers that were given then, and is refused when there are none.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self.asks: Asks | None = None

    @property
    def can_ask(self) -> bool:
        return self.asks is not None

    def host_key(self, fingerprint: str, host: str) -> bool:
        if self.asks is None:
            return False
        question = HostKeyQuestion(self._server, host, "", fingerprint)
        return self.asks.host_key(question)

    def secret(self, server: str, prompt: str) -> Secret | None:
        if self.asks is None:
            return None
        typed = self.asks.secret(SecretQuestion(self._server, server, prompt))
        return Secret(typed) if typed else None


class Studios:
    """Gives the studio of a server, opened once; `close` ends all links."""

    def __init__(self, project: Path | None, places: Places) -> None:
        self._project = project
        self.places = places
        self._lock = threading.Lock()
        self._open: dict[str, tuple[Server, Studio, AskingDialog]] = {}

    def config(self) -> Config:
        """deploy.toml as it is now: a person may edit it while the dashboard is open."""
        return load(self._project, self.places)

    def get(self, name: str, asks: Asks | None = None) -> Studio:
        """The studio for something a person asked for."""
        config = self.config()
        _, server = book.pick(config, name)
        with self._lock:
            held = self._open.get(name)
            if held is None or held[0] != server:
                dialog = AskingDialog(name)
                held = (server, Studio(name, server, config, self.places, dialog), dialog)
                self._open[name] = held
            if asks is not None:
                held[2].asks = asks
            held[1].used()
            return held[1]

    def forget(self, name: str) -> None:
        with self._lock:
            held = self._open.pop(name, None)
        if held is not None:
            held[1].close()

    def close(self) -> None:
        for name in list(self._open):
            self.forget(name)

    def saved(self) -> tuple[SavedServer, ...]:
        return tuple(_shown(name, server) for name, server in self.config().servers.items())


def _shown(name: str, server: Server) -> SavedServer:
    address = ""
    if not server.embedded:
        spec = saved_spec(name, server)
        user = f"{spec.user}@" if spec.user else ""
        address = f"{user}{spec.host}:{spec.port}"
    return SavedServer(name, address, server.profile, server.price_per_hour, server.currency)


def now_ms() -> int:
    return int(time.time() * 1000)
