"""The opened servers of a dashboard: one studio a saved server, shared by all services."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from remote.config import book
from remote.config.load import load
from remote.config.places import Places
from remote.config.schema import Config, Server
from remote.link import Link
from remote.pool import Pool, Status
from remote.saved import saved_spec
from remote.secrets import Secret
from remote.studio import Studio
from tui.services.protocols import Asks, HostKeyQuestion, OfferQuestion, SecretQuestion
from tui.state.facts import SavedServer

Listener = Callable[[Status], None]


class AskingDialog:
    """Turns the questions of a link into those of the dashboard.

    Questions come up only while a server is being watched or added; a link that is made anew
    in between uses the answers that were given then, and is refused when there are none.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self.asks: Asks | None = None
        self._declined: set[OfferQuestion] = set()

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

    def install_key(self, server: str) -> bool:
        return self._agrees(OfferQuestion(self._server, "key"))

    def keep_password(self, server: str) -> bool:
        return self._agrees(OfferQuestion(self._server, "keyring"))

    def _agrees(self, question: OfferQuestion) -> bool:
        """One no to an offer holds as long as the dashboard is open."""
        if self.asks is None or question in self._declined:
            return False
        agreed = self.asks.agrees(question)
        if not agreed:
            self._declined.add(question)
        return agreed


class Studios:
    """Gives the studio of a server, opened once; `close` ends all links."""

    def __init__(self, project: Path | None, places: Places) -> None:
        self._project = project
        self.places = places
        self._lock = threading.Lock()
        self._listeners: list[tuple[str, Listener]] = []
        self._settled: dict[str, Link] = {}
        self._pool = Pool(on_change=self._changed)
        self._open: dict[str, tuple[Studio, AskingDialog]] = {}

    def config(self) -> Config:
        """deploy.toml as it is now: a person may edit it while the dashboard is open."""
        return load(self._project, self.places)

    def get(self, name: str, asks: Asks | None = None) -> Studio:
        """The studio for something a person asked for."""
        studio = self.opened(name, asks)
        studio.used()
        return studio

    def opened(self, name: str, asks: Asks | None = None) -> Studio:
        """The studio for what goes on by itself."""
        config = self.config()
        _, server = book.pick(config, name)
        with self._lock:
            held = self._open.get(name)
            if held is not None and held[0].server.way_there() != server.way_there():
                held[0].close()
                held = None
            if held is None:
                dialog = AskingDialog(name)
                studio = Studio(name, server, config, self.places, dialog, pool=self._pool)
                held = self._open[name] = (studio, dialog)
            else:
                held[0].renew(server, config)
            if asks is not None:
                held[1].asks = asks
            return held[0]

    def settle(self, name: str) -> None:
        """After a log-in by password: offer what spares the next one, once a link."""
        studio, dialog = self._open[name]
        link = studio.link()
        with self._lock:
            if self._settled.get(name) is link:
                return
            self._settled[name] = link
        studio.settle(dialog)

    @contextmanager
    def listening(self, name: str, listener: Listener) -> Iterator[None]:
        """Be told of every change of a server's link."""
        self._listeners.append((name, listener))
        try:
            yield
        finally:
            self._listeners.remove((name, listener))

    def _changed(self, status: Status) -> None:
        for name, listener in list(self._listeners):
            if name == status.name:
                listener(status)

    def forget(self, name: str) -> None:
        with self._lock:
            held = self._open.pop(name, None)
        if held is not None:
            held[0].close()

    def move(self, project: Path | None, places: Places) -> None:
        """Work from another project and address book; links to the old servers end."""
        self.close()
        self._project, self.places = project, places

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
