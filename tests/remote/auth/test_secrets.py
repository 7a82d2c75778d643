"""A planted password is found nowhere it does not belong."""

from __future__ import annotations

import copy
import io
import logging
import pickle
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError
from scripted_sshd import PASSWORD, Build, House, Rules

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.auth import keyring_store
from sovdeck.remote.auth.authenticate import keyring_account
from sovdeck.remote.auth.credentials import Credentials
from sovdeck.remote.auth.keyring_store import SystemKeyring
from sovdeck.remote.hosts.spec import HostSpec
from sovdeck.remote.secret import MASK, Secret
from sovdeck.remote.ssh.client import HostKeyPolicy, SSHConnection


def test_a_secret_shows_a_mask_everywhere() -> None:
    secret = Secret(PASSWORD)
    shown = [str(secret), repr(secret), f"{secret}", f"{secret:>20}", f"{[secret]}", f"{secret!s}"]
    assert all(PASSWORD not in text and MASK in text for text in shown)
    assert secret.reveal() == PASSWORD
    assert secret == Secret(PASSWORD) and secret != Secret("other") and secret != PASSWORD
    assert hash(secret) == hash(Secret(PASSWORD))


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, copy.deepcopy, vars])
def test_a_secret_is_not_copied_or_pickled(leak: Any) -> None:
    with pytest.raises(TypeError):
        leak(Secret(PASSWORD))


@pytest.fixture
def everything_logged() -> Iterator[io.StringIO]:
    """All logging of the process at its most talkative."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.getLogger("paramiko").setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    root.setLevel(before)
    logging.getLogger("paramiko").setLevel(logging.NOTSET)


def outcome(house: House, folder: Path, credentials: Credentials) -> str:
    """Connect, run a command, and return all text a failure or success could show."""
    trust = HostKeyPolicy(
        folder / "known_hosts", accepted_fingerprints=frozenset({house.fingerprint})
    )
    try:
        with SSHConnection.connect(house.spec(), trust=trust, credentials=credentials) as link:
            arguments = Path("/proc/self/cmdline")
            argv = arguments.read_bytes().decode() if arguments.exists() else ""
            return f"{link!r} {vars(link)} {link.run(['id'])} {argv}"
    except Problem as problem:
        lines = traceback.TracebackException.from_exception(problem, capture_locals=True).format()
        return (
            f"{problem!r} {problem.as_json()} {problem.facts} {pickle.dumps(problem)!r}"
            + "".join(line for line in lines if "PASSWORD" not in line)
        )


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("way", ["password", "questions"])
def test_a_planted_password_is_nowhere(
    house: Build, tmp_path: Path, everything_logged: io.StringIO, right: bool, way: str
) -> None:
    planted = PASSWORD if right else "hunter2-" + "planted"
    rules = Rules(password=PASSWORD)
    if way == "questions":
        rules = Rules(questions=(("Password: ", PASSWORD),))
    here = house(rules)
    secret = Secret(planted)
    credentials = Credentials(use_agent=False, default_keys=False, password=secret)
    text = outcome(here, tmp_path, credentials) + repr(credentials) + everything_logged.getvalue()
    assert here.rules.offered in (["password"], ["keyboard-interactive"])
    assert "ran id" in text if right else "remote.auth.refused" in text
    # The test's own frames hold the password on purpose; the product's must not.
    own = "\n".join(line for line in text.splitlines() if "planted = " not in line)
    assert planted not in own
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert planted.encode() not in file.read_bytes()


class Memory(KeyringBackend):
    """A keyring in memory."""

    priority = 1

    def __init__(self, locked: bool = False) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = locked

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked("locked")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise KeyringLocked("locked")
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("none")


@pytest.fixture
def with_keyring() -> Iterator[Any]:
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


def test_the_keyring_keeps_and_forgets(with_keyring: Any) -> None:
    with_keyring(Memory())
    chain = SystemKeyring()
    account = keyring_account(HostSpec("2001:db8::7", 2222), "root")
    assert chain.get_password(account) is None and not chain.delete_password(account)
    chain.set_password(account, Secret(PASSWORD))
    assert chain.get_password(account) == Secret(PASSWORD)
    assert chain.get_password(keyring_account(HostSpec("2001:db8::7", 2223), "root")) is None
    assert chain.delete_password(account) and chain.get_password(account) is None


def test_a_locked_keyring_means_asking(with_keyring: Any) -> None:
    with_keyring(Memory(locked=True))
    assert SystemKeyring().get_password("me@host:22") is None
    with pytest.raises(Problem) as caught:
        SystemKeyring().set_password("me@host:22", Secret(PASSWORD))
    assert caught.value.key == "remote.auth.no_keyring"
    assert PASSWORD not in repr(caught.value)


def test_a_keyring_that_fails_in_a_way_of_its_own_is_none(with_keyring: Any) -> None:
    class Broken(Memory):
        def get_password(self, service: str, username: str) -> str | None:
            raise KeyError("a service that is not there")

        def set_password(self, service: str, username: str, password: str) -> None:
            raise RuntimeError(f"cannot keep {password}")

    with_keyring(Broken())
    chain = SystemKeyring()
    assert chain.get_password("me@host:22") is None
    with pytest.raises(Problem) as caught:
        chain.set_password("me@host:22", Secret(PASSWORD))
    assert "failed with RuntimeError" in caught.value.sentence()
    assert PASSWORD not in caught.value.sentence() and caught.value.__cause__ is None


def test_a_keyring_that_never_answers_is_left(
    with_keyring: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()

    class Hanging(Memory):
        def get_password(self, service: str, username: str) -> str | None:
            answered.wait(30)
            return "late"

    with_keyring(Hanging())
    monkeypatch.setattr(keyring_store, "_ANSWER_S", 0.2)
    chain = SystemKeyring()
    assert chain.get_password("me@host:22") is None
    with pytest.raises(Problem) as caught:
        chain.set_password("me@host:22", Secret(PASSWORD))
    assert "did not answer" in caught.value.sentence() and PASSWORD not in caught.value.sentence()
    answered.set()


def test_a_backend_that_writes_plain_files_is_refused(with_keyring: Any) -> None:
    plain = type("PlaintextKeyring", (Memory,), {"__module__": "keyrings.alt.file"})()
    with_keyring(plain)
    with pytest.raises(Problem):
        SystemKeyring().set_password("me@host:22", Secret(PASSWORD))
    assert plain.kept == {}
