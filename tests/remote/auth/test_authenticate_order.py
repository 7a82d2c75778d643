"""The order of log-in attempts, over a door that only keeps a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.auth.authenticate import (
    Authenticator,
    AuthResult,
    BadKey,
    NeedsPassphrase,
    PromptHandler,
)
from sovdeck.remote.auth.credentials import Credentials
from sovdeck.remote.hosts.spec import HostSpec
from sovdeck.remote.secret import Secret

NO = AuthResult(False)
YES = AuthResult(True)


@dataclass
class RecordingDoor:
    """verdicts: what each attempt gets, by label; agent: key names it offers."""

    listens: frozenset[str] = frozenset({"publickey", "password"})
    agent: Sequence[str] = ()
    verdicts: dict[str, AuthResult] = field(default_factory=dict)
    locked: dict[str, str] = field(default_factory=dict)
    questions: Sequence[tuple[str, bool]] = ()
    tried: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    def methods(self) -> frozenset[str]:
        self.tried.append("none")
        return self.listens

    def agent_keys(self) -> Sequence[Any]:
        return self.agent

    def load_key(self, path: Path, passphrase: Secret | None) -> Any:
        wanted = self.locked.get(path.name)
        if wanted is not None:
            if passphrase is None:
                raise NeedsPassphrase
            if passphrase.reveal() != wanted:
                raise BadKey("wrong passphrase")
        if path.name == "broken":
            raise BadKey("not a key")
        return path.name

    def public_blob(self, key: Any) -> bytes:
        return str(key).encode()

    def try_key(self, key: Any) -> AuthResult:
        self.tried.append(str(key))
        return self.verdicts.get(str(key), NO)

    def try_password(self, secret: Secret) -> AuthResult:
        self.tried.append("password:" + secret.reveal())
        return self.verdicts.get("password", NO)

    def try_interactive(self, handler: PromptHandler) -> AuthResult:
        self.answers += handler(self.questions)
        self.tried.append("questions")
        return self.verdicts.get("questions", NO)


def login(door: RecordingDoor, identity: tuple[str, ...] = (), **options: Any) -> str:
    options.setdefault("default_keys", False)
    return Authenticator(
        door, HostSpec("h", identity=identity), "me", Credentials(**options)
    ).authenticate()


def test_named_keys_come_first_then_agent_then_the_usual_files(tmp_path: Path) -> None:
    for name in ("id_ed25519", "id_rsa"):
        (tmp_path / name).touch()
    door = RecordingDoor(agent=["a1", "a2"], verdicts={"password": YES})
    how = login(
        door,
        ("k1",),
        identities=[Path("k2")],
        default_keys=True,
        key_folder=tmp_path,
        password=Secret("pw"),
    )
    assert how == "password"
    assert door.tried == ["k1", "k2", "a1", "a2", "id_ed25519", "none", "password:pw"]


def test_what_a_refusal_says_is_not_asked_again() -> None:
    # sshd cuts off at the sixth failure, and "none" after five refused keys would be one.
    door = RecordingDoor(agent=[f"a{number}" for number in range(7)], verdicts={"password": YES})
    no = AuthResult(False, frozenset({"publickey", "password"}))
    door.verdicts |= dict.fromkeys(door.agent, no)
    assert login(door, password=Secret("pw")) == "password"
    assert door.tried == ["a0", "a1", "a2", "a3", "a4", "password:pw"]


def test_the_first_key_that_fits_ends_it_without_asking_what_is_open() -> None:
    door = RecordingDoor(agent=["a1"], verdicts={"k1": YES})
    assert login(door, ("k1",), password=Secret("pw")) == "publickey"
    assert door.tried == ["k1"]


def test_one_key_is_offered_once_wherever_it_lies(tmp_path: Path) -> None:
    door = RecordingDoor(agent=["k1", "a1"])
    with pytest.raises(Problem):
        login(door, ("k1",), identities=[Path("folder/k1")])
    assert door.tried.count("k1") == 1


def test_a_crowded_agent_leaves_an_attempt_for_the_password() -> None:
    door = RecordingDoor(agent=[f"a{n}" for n in range(9)], verdicts={"password": YES})
    assert login(door, password=Secret("pw")) == "password"
    assert len([one for one in door.tried if one.startswith("a")]) == 5


def test_identities_only_keeps_the_agent_out() -> None:
    door = RecordingDoor(agent=["a1"], listens=frozenset({"publickey"}))
    spec = HostSpec("h", identity=("k1",), only_identity=True)
    with pytest.raises(Problem):
        Authenticator(door, spec, "me", Credentials(default_keys=False)).authenticate()
    assert door.tried == ["k1", "none"]


def test_keys_stop_when_the_server_does_not_listen_to_keys() -> None:
    deaf = AuthResult(False, frozenset({"password"}))
    door = RecordingDoor(agent=["a1", "a2"], verdicts={"a1": deaf, "password": YES})
    assert login(door, password=Secret("pw")) == "password"
    assert door.tried == ["a1", "password:pw"]


def test_a_key_and_then_a_code() -> None:
    more = AuthResult(False, frozenset({"keyboard-interactive"}), partial=True)
    door = RecordingDoor(
        verdicts={"k1": more, "questions": YES},
        questions=[("Verification code: ", True)],
    )
    how = login(door, ("k1",), prompt=lambda _server, _prompt: Secret("123456"))
    assert how == "keyboard-interactive" and door.answers == ["123456"]


def test_a_password_and_then_a_code() -> None:
    more = AuthResult(False, frozenset({"keyboard-interactive"}), partial=True)
    door = RecordingDoor(
        verdicts={"password": more, "questions": YES}, questions=[("Code: ", False)]
    )
    asked: list[str] = []

    def ask(server: str, prompt: str) -> Secret:
        asked.append(prompt)
        return Secret("123456")

    assert login(door, password=Secret("pw"), prompt=ask) == "keyboard-interactive"
    assert door.answers == ["123456"] and asked == ["Code: "]


def test_a_refused_password_is_not_offered_as_an_answer() -> None:
    both = frozenset({"password", "keyboard-interactive"})
    door = RecordingDoor(listens=both, questions=[("Password: ", False)])
    with pytest.raises(Problem) as caught:
        login(door, password=Secret("pw"), prompt=lambda _s, _p: Secret("again"))
    assert door.tried == ["none", "password:pw"] and door.answers == []
    assert caught.value.key == "remote.auth.refused"


def test_whoever_leaves_a_question_is_asked_no_more() -> None:
    """A server may ask as many questions as it likes."""
    questions = [("Password: ", False), ("Really? ", True), *([("Code: ", False)] * 1000)]
    door = RecordingDoor(listens=frozenset({"keyboard-interactive"}), questions=questions)
    asked: list[str] = []

    def ask(server: str, prompt: str) -> Secret | None:
        asked.append(prompt)
        return None

    with pytest.raises(Problem, match="wants a password"):
        login(door, prompt=ask)
    assert asked == ["Password: "] and door.answers == [""] * 1002


class Kept:
    def get_password(self, account: str) -> Secret | None:
        return Secret("old")


@pytest.mark.parametrize("way", ["password", "keyboard-interactive"])
def test_an_outdated_kept_password_means_asking_once(way: str) -> None:
    door = RecordingDoor(listens=frozenset({way}), questions=[("Password: ", False)])
    prompts: list[str] = []

    def ask(server: str, prompt: str) -> Secret:
        prompts.append(prompt)
        return Secret("new")

    with pytest.raises(Problem) as caught:
        login(door, keyring=Kept(), prompt=ask)
    assert caught.value.key == "remote.auth.refused" and len(prompts) == 1
    if way == "password":
        assert door.tried == ["none", "password:old", "password:new"]
    else:
        assert door.answers == ["old", "new"]
    with pytest.raises(Problem) as caught:
        login(RecordingDoor(), keyring=Kept())
    assert caught.value.key == "remote.auth.refused"


def test_giving_up_is_not_a_refusal() -> None:
    choices: tuple[Any, ...] = ({}, {"prompt": lambda _s, _p: None})
    for options in choices:
        with pytest.raises(Problem) as caught:
            login(RecordingDoor(), **options)
        assert caught.value.key == "remote.auth.needed"
        assert caught.value.exit_code is ExitCode.REFUSED


def test_an_open_door_needs_nothing() -> None:
    assert login(RecordingDoor(listens=frozenset())) == "none"


def test_locked_and_broken_keys(tmp_path: Path) -> None:
    door = RecordingDoor(locked={"k1": "open"}, verdicts={"k1": YES})
    assert login(door, ("k1",), prompt=lambda _s, _p: Secret("open")) == "publickey"
    with pytest.raises(Problem) as caught:
        login(door, ("k1",), prompt=lambda _s, _p: Secret("wrong"))
    assert caught.value.key == "remote.auth.bad_key"
    with pytest.raises(Problem) as caught:
        login(door, ("k1",))
    assert "k1 (locked)" in caught.value.sentence()
    # A file nobody named does not stop the others.
    (tmp_path / "id_ed25519").touch()
    door = RecordingDoor(locked={"id_ed25519": "x"}, verdicts={"password": YES})
    ask = lambda _s, prompt: None if "Passphrase" in prompt else Secret("pw")  # noqa: E731
    assert login(door, default_keys=True, key_folder=tmp_path, prompt=ask) == "password"
