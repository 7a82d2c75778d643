"""The first log-in asks; the second does not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from scripted_sshd import PASSWORD, Build, Rules

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.auth.credentials import Credentials
from sovdeck.remote.secret import Secret
from sovdeck.remote.servers.sign_in import SignIn
from sovdeck.remote.ssh.client import HostKeyPolicy, SSHConnection


@dataclass
class Drawer:
    """A keychain in memory."""

    kept: dict[str, Secret] = field(default_factory=dict)

    def get_password(self, account: str) -> Secret | None:
        return self.kept.get(account)

    def set_password(self, account: str, secret: Secret) -> None:
        self.kept[account] = secret

    def delete_password(self, account: str) -> bool:
        return self.kept.pop(account, None) is not None


@dataclass
class Person:
    """Types the password when asked, and says yes or no to offers."""

    key: bool
    keep: bool
    asked: list[str] = field(default_factory=list)

    def __call__(self, server: str, prompt: str, *, again: bool = False) -> Secret:
        self.asked.append(prompt + " again" * again)
        return Secret(PASSWORD)

    def install_key(self, server: str) -> bool:
        return self.key

    def keep_password(self, server: str) -> bool:
        return self.keep


def visit(house: Build, tmp_path: Path, person: Person, times: int) -> tuple[list[str], Drawer]:
    """Connect a few times; returns how each log-in went and what was settled."""
    home = tmp_path / "home"
    home.mkdir()
    rules = Rules(password=PASSWORD, authorized=home / ".ssh" / "authorized_keys")
    here = house(rules, home=home)
    trust = HostKeyPolicy(
        tmp_path / "known_hosts", accepted_fingerprints=frozenset({here.fingerprint})
    )
    drawer, went = Drawer(), []
    for _ in range(times):
        # As a new start of the program: nothing is remembered in memory.
        first_sign_in = SignIn(tmp_path / "keys" / "id_ed25519", drawer)
        with first_sign_in.connect(here.spec(), trust, person) as link:
            went.append(f"{link.method} {first_sign_in.offer_passwordless(link, person)}")
    return went, drawer


def test_a_key_spares_the_password(house: Build, tmp_path: Path, no_agent: None) -> None:
    person = Person(key=True, keep=True)
    went, drawer = visit(house, tmp_path, person, 3)
    assert went == ["password key", "publickey nothing", "publickey nothing"]
    assert len(person.asked) == 1 and drawer.kept == {}
    lines = (tmp_path / "home/.ssh/authorized_keys").read_text().splitlines()
    assert len(lines) == 1 and lines[0].startswith("ssh-ed25519 ")


def test_the_keyring_spares_the_question(house: Build, tmp_path: Path, no_agent: None) -> None:
    person = Person(key=False, keep=True)
    went, drawer = visit(house, tmp_path, person, 2)
    assert went == ["password kept", "password nothing"]
    assert len(person.asked) == 1 and list(drawer.kept.values()) == [Secret(PASSWORD)]
    assert not (tmp_path / "keys").exists()


def test_no_means_no(house: Build, tmp_path: Path, no_agent: None) -> None:
    person = Person(key=False, keep=False)
    went, drawer = visit(house, tmp_path, person, 2)
    assert went == ["password nothing", "password nothing"]
    assert len(person.asked) == 2 and drawer.kept == {}
    assert not (tmp_path / "home/.ssh").exists()


def test_one_answer_does_for_all_links_of_a_transfer(
    house: Build, tmp_path: Path, no_agent: None
) -> None:
    here = house(Rules(password=PASSWORD))
    trust = HostKeyPolicy(
        tmp_path / "known_hosts", accepted_fingerprints=frozenset({here.fingerprint})
    )
    person = Person(key=False, keep=False)
    first_sign_in = SignIn(tmp_path / "id", Drawer())
    with ThreadPoolExecutor(4) as pool:
        links = list(
            pool.map(lambda _: first_sign_in.connect(here.spec(), trust, person), range(4))
        )
    assert [link.method for link in links] == ["password"] * 4
    assert person.asked == ["Password of me@127.0.0.1:"]
    for link in (*links, first_sign_in.connect(here.spec(), trust, None)):  # a background reconnect
        link.close()


def test_a_refused_answer_is_not_given_again(house: Build, tmp_path: Path, no_agent: None) -> None:
    here = house(Rules(password=PASSWORD + " changed"))
    trust = HostKeyPolicy(
        tmp_path / "known_hosts", accepted_fingerprints=frozenset({here.fingerprint})
    )
    person = Person(key=False, keep=False)
    first_sign_in = SignIn(tmp_path / "id", Drawer())
    for count in (3, 6):  # as often as ssh lets a person type
        with pytest.raises(Problem) as caught:
            first_sign_in.connect(here.spec(), trust, person)
        assert caught.value.key == "remote.auth.refused"
        assert len(person.asked) == count
        assert PASSWORD not in repr(first_sign_in)
    assert here.rules.passwords == [1] * 6, "one a connection: no server counts it out"


def test_a_wrong_password_may_be_typed_again(house: Build, tmp_path: Path, no_agent: None) -> None:
    here = house(Rules(password=PASSWORD))
    trust = HostKeyPolicy(
        tmp_path / "known_hosts", accepted_fingerprints=frozenset({here.fingerprint})
    )
    answers, asked = ["mistyped", PASSWORD], []

    def person(server: str, prompt: str, *, again: bool = False) -> Secret | None:
        asked.append(again)
        return Secret(answers.pop(0)) if answers else None

    first_sign_in = SignIn(tmp_path / "id", Drawer())
    with first_sign_in.connect(here.spec(), trust, person) as link:
        assert link.method == "password" and asked == [False, True]
    first_sign_in.connect(here.spec(), trust, None).close()  # the right one is remembered
    # Who gives up after a mistake is told of the mistake, not that nothing was typed.
    answers.append("mistyped")
    other = SignIn(tmp_path / "id", Drawer())
    with pytest.raises(Problem) as caught:
        other.connect(here.spec(), trust, person)
    assert caught.value.key == "remote.auth.refused" and asked[2:] == [False, True]


def test_codes_are_asked_every_time(house: Build, tmp_path: Path, no_agent: None) -> None:
    here = house(Rules(questions=(("Password: ", PASSWORD), ("Code: ", PASSWORD))))
    trust = HostKeyPolicy(
        tmp_path / "known_hosts", accepted_fingerprints=frozenset({here.fingerprint})
    )
    person = Person(key=False, keep=False)
    first_sign_in = SignIn(tmp_path / "id", Drawer())
    for _ in range(2):
        first_sign_in.connect(here.spec(), trust, person).close()
    assert person.asked == ["Password: ", "Code: ", "Code: "]


def test_a_given_password_is_the_target_s_alone(
    house: Build, tmp_path: Path, no_agent: None
) -> None:
    gate, target = house(Rules(password=PASSWORD)), house(Rules(password=PASSWORD))
    accepted = frozenset({gate.fingerprint, target.fingerprint})
    spec = target.spec(jump=(gate.spec(),))
    credentials = Credentials(use_agent=False, default_keys=False, password=Secret(PASSWORD))
    with pytest.raises(Problem) as caught:
        SSHConnection.connect(
            spec,
            trust=HostKeyPolicy(tmp_path / "kh", accepted_fingerprints=accepted),
            credentials=credentials,
        )
    assert caught.value.key == "remote.auth.needed" and gate.rules.offered == []
