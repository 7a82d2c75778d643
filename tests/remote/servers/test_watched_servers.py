"""The dashboard's watch stands on the pool: one link, honest states, no knocking when refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scripted_sshd import PASSWORD, Build, Rules, wait_until
from servers import CutProxy, Place

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.auth.keyring_store import SystemKeyring
from sovdeck.remote.config import servers_file
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.config.schema import ServerSection
from sovdeck.remote.secret import Secret
from sovdeck.remote.servers.server import ServerSession
from sovdeck.tui.services.connections import ConnectionRegistry
from sovdeck.tui.services.live.servers import LiveServers
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.prompts import HostKeyPrompt, OfferPrompt, SecretPrompt


class Person:
    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    def confirm_host_key(self, prompt: HostKeyPrompt) -> bool:
        return False

    def ask_secret(self, prompt: SecretPrompt) -> str | None:
        return self.answers.pop(0) if self.answers else None

    def accept_offer(self, prompt: OfferPrompt) -> bool:
        return False


class Watched:
    """A watch in a thread, with what it told."""

    def __init__(self, registry: ConnectionRegistry, person: Person) -> None:
        self.reported: list[Any] = []
        self.problem: Problem | None = None
        self.cancel = threading.Event()
        self._registry, self._person = registry, person
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self) -> None:
        servers = LiveServers(self._registry)
        try:
            servers.watch("box", self._person, self.reported.append, self.cancel)
        except Problem as problem:
            self.problem = problem

    def states(self) -> list[str]:
        return [
            event.state for event in list(self.reported) if isinstance(event, ev.ConnectionChanged)
        ]

    def end(self) -> None:
        self.cancel.set()
        self.thread.join(60)


@pytest.fixture
def registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_agent: None
) -> Iterator[ConnectionRegistry]:
    monkeypatch.chdir(tmp_path)
    found = ConnectionRegistry(None, AppPaths.below(tmp_path))
    yield found
    found.close()


def test_a_half_open_link_is_seen_and_made_anew(
    embedded: Place, cut_proxy: Callable[[Place], CutProxy], registry: ConnectionRegistry
) -> None:
    proxy = cut_proxy(embedded)
    line = embedded.through(proxy).spec.format()
    servers_file.add_server(
        registry.app_paths, "box", ServerSection(ssh=line, host_key=embedded.fingerprint)
    )
    watched = Watched(registry, Person())
    wait_until(lambda: any(isinstance(e, ev.FactsSeen) for e in watched.reported), 60)
    link = registry.session("box").connection()
    assert registry.session("box").connection() is link and watched.states()[-2:] == [
        "connecting",
        "up",
    ]
    proxy.silent = True
    begun = time.monotonic()
    wait_until(lambda: "offline" in watched.states()[2:], 30)
    print(f"noticed after {time.monotonic() - begun:.1f} s")
    proxy.silent = False
    proxy.reset()
    wait_until(lambda: watched.states()[-1] == "up", 60)
    assert registry.session("box").connection() is not link and not link.alive
    watched.end()


def test_a_server_that_should_be_off_raises_a_notice(
    embedded: Place,
    registry: ConnectionRegistry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deployed = Deployed(Layout.at(str(tmp_path / "work")), "python", "abc")
    monkeypatch.setattr(ServerSession, "find_deployment", lambda _: deployed)
    folder = tmp_path / "work" / "autostop"
    folder.mkdir(parents=True)
    (folder / "status").write_text("stop=1 reason=idle at=5 waiting=0\nnow=9 failed=1\n")
    (folder / "stop").write_text('{"state": "gave_up", "tries": 10, "why": "HTTP 401"}\n')
    server = ServerSection(ssh=embedded.spec.format(), host_key=embedded.fingerprint)
    servers_file.add_server(registry.app_paths, "box", server)
    watched = Watched(registry, Person())

    def notices() -> list[ev.NoticeRaised]:
        return [e for e in list(watched.reported) if isinstance(e, ev.NoticeRaised)]

    wait_until(lambda: bool(notices()), 60)
    watched.end()
    assert [(n.level, n.server) for n in notices()] == [("bad", "box")]
    assert "HTTP 401" in notices()[0].text.en


def test_a_refused_password_is_not_sent_again_until_a_person_asks(
    house: Build, registry: ConnectionRegistry
) -> None:
    here = house(Rules(password=PASSWORD))
    server = ServerSection(ssh=here.spec().format(), host_key=here.fingerprint)
    servers_file.add_server(registry.app_paths, "box", server)
    watched = Watched(registry, Person("wrong"))
    watched.thread.join(60)
    assert watched.problem is not None and watched.states()[-1] == "refused"
    for _ in range(3):  # other services want the link too
        with pytest.raises(Problem):
            registry.session("box").connection()
    assert here.rules.offered == ["password"]
    again = Watched(registry, Person(PASSWORD))
    wait_until(lambda: "up" in again.states(), 30)
    assert here.rules.offered == ["password", "password"]
    again.end()


def test_without_an_answer_the_server_waits_for_a_person(
    house: Build, registry: ConnectionRegistry
) -> None:
    here = house(Rules(password=PASSWORD))
    server = ServerSection(ssh=here.spec().format(), host_key=here.fingerprint)
    servers_file.add_server(registry.app_paths, "box", server)
    watched = Watched(registry, Person())
    watched.thread.join(60)
    assert watched.states()[-1] == "auth_needed" and here.rules.offered == []


def test_only_another_address_ends_the_old_link(house: Build, registry: ConnectionRegistry) -> None:
    here = house(Rules(password=PASSWORD))
    server = ServerSection(ssh=here.spec().format(), host_key=here.fingerprint)
    servers_file.add_server(registry.app_paths, "box", server)
    old = Watched(registry, Person(PASSWORD))
    wait_until(lambda: "up" in old.states(), 30)
    link = registry.session("box").connection()
    old.end()
    dearer = server.model_copy(update={"price_per_hour": 2.0, "currency": "EUR", "profile": "vast"})
    servers_file.add_server(registry.app_paths, "box", dearer, replace=True)
    opened = registry.session("box")
    assert opened.connection() is link and opened.status().state == "up"
    assert opened.server.price_per_hour == 2.0 and opened.deploy_config().profile == "vast"
    again = Watched(registry, Person(PASSWORD))
    wait_until(lambda: bool(again.reported), 30)
    again.end()
    reported = next(event for event in again.reported if isinstance(event, ev.ServersLoaded))
    assert reported.servers[0].price_per_hour == 2.0 and link.alive
    elsewhere = dearer.model_copy(update={"identity": "~/.ssh/another"})
    servers_file.add_server(registry.app_paths, "box", elsewhere, replace=True)
    opened = registry.session("box")
    assert opened.status().state == "offline" and not link.alive


class Agreeing(Person):
    """Says yes to the offers named in `yes`, and remembers them all."""

    def __init__(self, *answers: str, yes: tuple[str, ...]) -> None:
        super().__init__(*answers)
        self.yes = yes
        self.offers: list[str] = []

    def accept_offer(self, prompt: OfferPrompt) -> bool:
        self.offers.append(prompt.offer)
        return prompt.offer in self.yes


def test_after_the_first_password_a_key_is_offered_once(
    house: Build, registry: ConnectionRegistry, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    keys = tmp_path / "home" / ".ssh" / "authorized_keys"
    here = house(Rules(password=PASSWORD, authorized=keys), home=tmp_path / "home")
    servers_file.add_server(
        registry.app_paths,
        "box",
        ServerSection(ssh=here.spec().format(), host_key=here.fingerprint),
    )
    person = Agreeing(PASSWORD, yes=("key",))
    watched = Watched(registry, person)
    wait_until(keys.exists, 30)
    again = Watched(registry, person)  # "connect" pressed once more, over the same link
    wait_until(lambda: any(isinstance(e, ev.FactsSeen) for e in again.reported), 60)
    watched.end()
    again.end()
    assert person.offers == ["key"] and keys.read_text().startswith("ssh-ed25519 ")
    registry.close_session("box")
    with registry.session("box").connect() as link:  # nobody is asked, nothing was kept
        assert link.method == "publickey"


def test_without_a_key_the_keyring_is_offered_and_a_no_holds(
    house: Build, registry: ConnectionRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: dict[str, Any] = {}
    monkeypatch.setattr(SystemKeyring, "get_password", lambda _self, account: kept.get(account))
    monkeypatch.setattr(SystemKeyring, "set_password", lambda _self, *pair: kept.update([pair]))
    here = house(Rules(password=PASSWORD))
    servers_file.add_server(
        registry.app_paths,
        "box",
        ServerSection(ssh=here.spec().format(), host_key=here.fingerprint),
    )
    person = Agreeing(PASSWORD, yes=("keyring",))
    for _ in range(2):
        watched = Watched(registry, person)
        wait_until(lambda: "up" in watched.states() and bool(kept), 30)  # noqa: B023
        watched.end()
    assert person.offers == ["key", "keyring"]
    assert kept == {f"me@127.0.0.1:{here.port}": Secret(PASSWORD)}


def test_an_offer_that_fails_is_a_notice_and_no_end(
    house: Build, registry: ConnectionRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sovdeck.remote.auth.keyring_store._find_safe_backend", lambda: None)
    here = house(Rules(password=PASSWORD))
    servers_file.add_server(
        registry.app_paths,
        "box",
        ServerSection(ssh=here.spec().format(), host_key=here.fingerprint),
    )
    watched = Watched(registry, Agreeing(PASSWORD, yes=("keyring",)))
    wait_until(lambda: any(isinstance(e, ev.NoticeRaised) for e in watched.reported), 30)
    assert any(
        isinstance(event, ev.ConnectionChanged) and event.state == "up"
        for event in watched.reported
    )
    watched.end()
    # Without a home the server answers no probe; that, and not the keyring, ended the watch.
    assert watched.problem is None or watched.problem.key != "remote.auth.no_keyring"
