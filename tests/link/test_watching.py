"""The dashboard's watch stands on the pool: one link, honest states, no knocking when refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gatehouse import PASSWORD, Build, Rules, wait_until
from servers import CutProxy, Place

from engine.contract.problem import Problem
from remote.config import book
from remote.config.places import Places
from remote.config.schema import Server
from remote.keychain import SystemKeychain
from remote.secrets import Secret
from tui.services.live_servers import LiveServers
from tui.services.protocols import HostKeyQuestion, OfferQuestion, SecretQuestion
from tui.services.studios import Studios
from tui.state import events as ev


class Person:
    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    def host_key(self, question: HostKeyQuestion) -> bool:
        return False

    def secret(self, question: SecretQuestion) -> str | None:
        return self.answers.pop(0) if self.answers else None

    def agrees(self, question: object) -> bool:
        return False


class Watched:
    """A watch in a thread, with what it told."""

    def __init__(self, studios: Studios, person: Person) -> None:
        self.told: list[Any] = []
        self.problem: Problem | None = None
        self.cancel = threading.Event()
        self._studios, self._person = studios, person
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self) -> None:
        servers = LiveServers(self._studios)
        try:
            servers.watch("box", self._person, self.told.append, self.cancel)
        except Problem as problem:
            self.problem = problem

    def states(self) -> list[str]:
        return [event.link for event in list(self.told) if isinstance(event, ev.LinkChanged)]

    def end(self) -> None:
        self.cancel.set()
        self.thread.join(30)


@pytest.fixture
def studios(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_agent: None) -> Iterator[Studios]:
    monkeypatch.chdir(tmp_path)
    found = Studios(None, Places(tmp_path / "config", tmp_path / "data"))
    yield found
    found.close()


def test_a_half_open_link_is_seen_and_made_anew(
    embedded: Place, cut_proxy: Callable[[Place], CutProxy], studios: Studios
) -> None:
    proxy = cut_proxy(embedded)
    line = embedded.through(proxy).spec.format()
    book.add(studios.places, "box", Server(ssh=line, host_key=embedded.fingerprint))
    watched = Watched(studios, Person())
    wait_until(lambda: any(isinstance(e, ev.FactsSeen) for e in watched.told), 60)
    link = studios.get("box").link()
    assert studios.get("box").link() is link and watched.states()[-2:] == ["connecting", "up"]
    proxy.silent = True
    begun = time.monotonic()
    wait_until(lambda: "offline" in watched.states()[2:], 30)
    print(f"noticed after {time.monotonic() - begun:.1f} s")
    proxy.silent = False
    proxy.reset()
    wait_until(lambda: watched.states()[-1] == "up", 60)
    assert studios.get("box").link() is not link and not link.alive
    watched.end()


def test_a_refused_password_is_not_sent_again_until_a_person_asks(
    house: Build, studios: Studios
) -> None:
    here = house(Rules(password=PASSWORD))
    server = Server(ssh=here.spec().format(), host_key=here.fingerprint)
    book.add(studios.places, "box", server)
    watched = Watched(studios, Person("wrong"))
    watched.thread.join(30)
    assert watched.problem is not None and watched.states()[-1] == "refused"
    for _ in range(3):  # other services want the link too
        with pytest.raises(Problem):
            studios.get("box").link()
    assert here.rules.offered == ["password"]
    again = Watched(studios, Person(PASSWORD))
    wait_until(lambda: "up" in again.states(), 30)
    assert here.rules.offered == ["password", "password"]
    again.end()


def test_without_an_answer_the_server_waits_for_a_person(house: Build, studios: Studios) -> None:
    here = house(Rules(password=PASSWORD))
    server = Server(ssh=here.spec().format(), host_key=here.fingerprint)
    book.add(studios.places, "box", server)
    watched = Watched(studios, Person())
    watched.thread.join(30)
    assert watched.states()[-1] == "auth_needed" and here.rules.offered == []


def test_only_another_address_ends_the_old_link(house: Build, studios: Studios) -> None:
    here = house(Rules(password=PASSWORD))
    server = Server(ssh=here.spec().format(), host_key=here.fingerprint)
    book.add(studios.places, "box", server)
    old = Watched(studios, Person(PASSWORD))
    wait_until(lambda: "up" in old.states(), 30)
    link = studios.get("box").link()
    old.end()
    dearer = server.model_copy(
        update={"price_per_hour": 2.0, "currency": "EUR", "profile": "vast"}
    )  # fmt: skip
    book.add(studios.places, "box", dearer, replace=True)
    studio = studios.get("box")
    assert studio.link() is link and studio.status().state == "up"
    assert studio.server.price_per_hour == 2.0 and studio.wish().profile == "vast"
    again = Watched(studios, Person(PASSWORD))
    wait_until(lambda: bool(again.told), 30)
    again.end()
    told = next(event for event in again.told if isinstance(event, ev.ServersLoaded))
    assert told.servers[0].price_per_hour == 2.0 and link.alive
    elsewhere = dearer.model_copy(update={"identity": "~/.ssh/another"})
    book.add(studios.places, "box", elsewhere, replace=True)
    studio = studios.get("box")
    assert studio.status().state == "offline" and not link.alive


class Agreeing(Person):
    """Says yes to the offers named in `yes`, and remembers them all."""

    def __init__(self, *answers: str, yes: tuple[str, ...]) -> None:
        super().__init__(*answers)
        self.yes = yes
        self.offers: list[str] = []

    def agrees(self, question: OfferQuestion) -> bool:
        self.offers.append(question.offer)
        return question.offer in self.yes


def test_after_the_first_password_a_key_is_offered_once(
    house: Build, studios: Studios, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    keys = tmp_path / "home" / ".ssh" / "authorized_keys"
    here = house(Rules(password=PASSWORD, authorized=keys), home=tmp_path / "home")
    book.add(studios.places, "box", Server(ssh=here.spec().format(), host_key=here.fingerprint))
    person = Agreeing(PASSWORD, yes=("key",))
    watched = Watched(studios, person)
    wait_until(keys.exists, 30)
    again = Watched(studios, person)  # "connect" pressed once more, over the same link
    wait_until(lambda: any(isinstance(e, ev.FactsSeen) for e in again.told), 60)
    watched.end()
    again.end()
    assert person.offers == ["key"] and keys.read_text().startswith("ssh-ed25519 ")
    studios.forget("box")
    with studios.get("box").connect() as link:  # nobody is asked, nothing was kept
        assert link.method == "publickey"


def test_without_a_key_the_keyring_is_offered_and_a_no_holds(
    house: Build, studios: Studios, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: dict[str, Any] = {}
    monkeypatch.setattr(SystemKeychain, "find", lambda _self, account: kept.get(account))
    monkeypatch.setattr(SystemKeychain, "keep", lambda _self, *pair: kept.update([pair]))
    here = house(Rules(password=PASSWORD))
    book.add(studios.places, "box", Server(ssh=here.spec().format(), host_key=here.fingerprint))
    person = Agreeing(PASSWORD, yes=("keyring",))
    for _ in range(2):
        watched = Watched(studios, person)
        wait_until(lambda: "up" in watched.states() and bool(kept), 30)  # noqa: B023
        watched.end()
    assert person.offers == ["key", "keyring"]
    assert kept == {f"me@127.0.0.1:{here.port}": Secret(PASSWORD)}


def test_an_offer_that_fails_is_a_notice_and_no_end(
    house: Build, studios: Studios, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remote.keychain._backend", lambda: None)
    here = house(Rules(password=PASSWORD))
    book.add(studios.places, "box", Server(ssh=here.spec().format(), host_key=here.fingerprint))
    watched = Watched(studios, Agreeing(PASSWORD, yes=("keyring",)))
    wait_until(lambda: any(isinstance(e, ev.NoticeRaised) for e in watched.told), 30)
    assert any(isinstance(event, ev.LinkChanged) and event.link == "up" for event in watched.told)
    watched.end()
    # Without a home the server answers no probe; that, and not the keyring, ended the watch.
    assert watched.problem is None or watched.problem.key != "remote.auth.no_keyring"
