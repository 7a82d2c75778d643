"""Every way to prove who we are, and what is said when none works."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import asyncssh
import pytest
from scripted_sshd import PASSWORD, Build, House, Rules, write_key

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.auth.credentials import Credentials
from sovdeck.remote.secret import Secret
from sovdeck.remote.ssh.client import HostKeyPolicy, SSHConnection


def connect(
    house: House, folder: Path, credentials: Credentials, **changes: object
) -> SSHConnection:
    trust = HostKeyPolicy(
        folder / "known_hosts", accepted_fingerprints=frozenset({house.fingerprint})
    )
    return SSHConnection.connect(
        house.spec(**changes), trust=trust, credentials=credentials, timeout=10
    )


def alone(**options: object) -> Credentials:
    """Credentials that take nothing from this machine."""
    return Credentials(use_agent=False, default_keys=False, **options)  # type: ignore[arg-type]


class Person:
    """Answers prompts and remembers them."""

    def __init__(self, *answers: str | None) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, server: str, prompt: str) -> Secret | None:
        self.asked.append(prompt)
        answer = self.answers.pop(0) if self.answers else None
        return None if answer is None else Secret(answer)


@pytest.mark.parametrize(
    "kind", ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp521", "ssh-rsa", "pem"]
)
def test_keys_of_every_kind(house: Build, tmp_path: Path, kind: str) -> None:
    if kind == "pem":
        key = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
        key.write_private_key(tmp_path / "key", "pkcs1-pem")
    else:
        key = write_key(tmp_path / "key", kind)
    here = house(Rules(keys=(key,)))
    with connect(here, tmp_path, alone(), identity=(str(tmp_path / "key"),)) as link:
        assert link.method == "publickey"
        assert link.run(["id"]).out == b"ran id\n"


def test_a_locked_key_asks_for_its_passphrase(house: Build, tmp_path: Path) -> None:
    key = write_key(tmp_path / "key", passphrase="open sesame")
    here = house(Rules(keys=(key,)))
    person = Person("open sesame")
    with connect(here, tmp_path, alone(prompt=person, identities=[tmp_path / "key"])) as link:
        assert link.method == "publickey"
    assert person.asked == [f"Passphrase of {tmp_path / 'key'}:"]


@pytest.mark.parametrize("answer", ["wrong", None])
def test_a_key_that_stays_locked_is_said(house: Build, tmp_path: Path, answer: str | None) -> None:
    key = write_key(tmp_path / "key", passphrase="open sesame")
    here = house(Rules(keys=(key,)))
    with pytest.raises(Problem) as caught:
        connect(here, tmp_path, alone(prompt=Person(answer), identities=[tmp_path / "key"]))
    assert caught.value.exit_code is ExitCode.REFUSED
    assert "key" in caught.value.sentence() and "open sesame" not in repr(caught.value)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen on this machine")
def test_a_key_locked_with_aes_gcm(house: Build, tmp_path: Path) -> None:
    path = tmp_path / "key"
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "pw12345", "-Z", "aes256-gcm@openssh.com"]
    subprocess.run([*argv, "-a", "2", "-f", str(path)], check=True)
    here = house(Rules(keys=(asyncssh.read_public_key(f"{path}.pub"),)))
    with connect(here, tmp_path, alone(prompt=Person("pw12345"), identities=[path])) as link:
        assert link.method == "publickey"


def test_a_missing_or_foreign_key_file_is_named(house: Build, tmp_path: Path) -> None:
    here = house(Rules(keys=(asyncssh.generate_private_key("ssh-ed25519"),)))
    (tmp_path / "text").write_text("not a key")
    write_key(tmp_path / "key")
    (tmp_path / "key-cert.pub").write_text("not a certificate")
    for name in ("missing", "text", "key"):
        with pytest.raises(Problem) as caught:
            connect(here, tmp_path, alone(), identity=(str(tmp_path / name),))
        assert caught.value.key == "remote.auth.bad_key" and name in caught.value.sentence()


def test_a_certificate_beside_the_key_is_used(house: Build, tmp_path: Path) -> None:
    key = write_key(tmp_path / "key")
    authority = asyncssh.generate_private_key("ssh-ed25519")
    certificate = authority.generate_user_certificate(key, "me", principals=["me"])
    (tmp_path / "key-cert.pub").write_bytes(certificate.export_certificate())
    here = house(Rules(ca=(authority,)))
    with connect(here, tmp_path, alone(), identity=(str(tmp_path / "key"),)) as link:
        assert link.method == "publickey"
    assert here.rules.offered == ["certificate"] or "certificate" in here.rules.offered


@pytest.mark.skipif(shutil.which("ssh-agent") is None, reason="no ssh-agent on this machine")
def test_an_agent_signs(house: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_key(tmp_path / "other")
    key = write_key(tmp_path / "key")
    socket = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        from scripted_sshd import wait_until

        wait_until(socket.exists)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        for name in ("other", "key"):
            (tmp_path / name).chmod(0o600)
            subprocess.run(["ssh-add", "-q", str(tmp_path / name)], check=True)
        here = house(Rules(keys=(key,)))
        with connect(here, tmp_path, Credentials(default_keys=False)) as link:
            assert link.method == "publickey"
    finally:
        agent.terminate()
        agent.wait()


def test_a_stale_agent_is_passed_over(
    house: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))
    here = house(Rules(password=PASSWORD))
    credentials = Credentials(default_keys=False, password=Secret(PASSWORD))
    with connect(here, tmp_path, credentials) as link:
        assert link.method == "password"


def test_password_given_kept_or_asked(house: Build, tmp_path: Path) -> None:
    here = house(Rules(password=PASSWORD))

    class Kept:
        def get_password(self, account: str) -> Secret | None:
            return Secret(PASSWORD) if account == f"me@127.0.0.1:{here.port}" else None

    person = Person(PASSWORD)
    for credentials in (
        alone(password=Secret(PASSWORD)),
        alone(keyring=Kept(), prompt=Person()),
        alone(prompt=person),
    ):
        with connect(here, tmp_path, credentials) as link:
            assert link.method == "password"
    assert person.asked == ["Password of me@127.0.0.1:"]


def test_a_wrong_password_is_refused_once(house: Build, tmp_path: Path) -> None:
    here = house(Rules(password=PASSWORD))
    with pytest.raises(Problem) as caught:
        connect(here, tmp_path, alone(password=Secret("hunter2")))
    assert caught.value.key == "remote.auth.refused"
    assert caught.value.exit_code is ExitCode.REFUSED
    assert here.rules.offered == ["password"]
    assert "hunter2" not in caught.value.sentence() + repr(caught.value)


def test_nobody_is_asked_where_no_password_would_do(house: Build, tmp_path: Path) -> None:
    here = house(Rules(keys=(asyncssh.generate_private_key("ssh-ed25519"),)))
    person = Person("x")
    with pytest.raises(Problem) as caught:
        connect(here, tmp_path, alone(prompt=person))
    assert person.asked == []
    assert "publickey" in caught.value.sentence()


def test_keyboard_interactive_takes_the_password_and_more(house: Build, tmp_path: Path) -> None:
    here = house(Rules(questions=(("Password: ", PASSWORD), ("Code: ", "123456"))))
    person = Person("123456")
    with connect(here, tmp_path, alone(password=Secret(PASSWORD), prompt=person)) as link:
        assert link.method == "keyboard-interactive"
    assert person.asked == ["Code: "]


def test_keyboard_interactive_with_a_wrong_answer(house: Build, tmp_path: Path) -> None:
    here = house(Rules(questions=(("Password: ", PASSWORD),)))
    with pytest.raises(Problem) as caught:
        connect(here, tmp_path, alone(prompt=Person("wrong")))
    assert caught.value.key == "remote.auth.refused"
    assert here.rules.offered == ["keyboard-interactive"]


def test_a_server_that_says_nothing_is_given_up(mute_port: int, tmp_path: Path) -> None:
    from sovdeck.remote.hosts.spec import HostSpec

    with pytest.raises(Problem) as caught:
        SSHConnection.connect(
            HostSpec("127.0.0.1", mute_port, "me"),
            trust=HostKeyPolicy(tmp_path / "known_hosts"),
            credentials=alone(),
            timeout=0.5,
        )
    assert caught.value.key == "remote.connection.no_greeting"
    assert caught.value.exit_code is ExitCode.UNREACHABLE


def test_a_server_without_sftp_is_told_apart(house: Build, tmp_path: Path) -> None:
    from sovdeck.remote.ssh.client import SftpUnavailable

    here = house(Rules(password=PASSWORD), sftp=False)
    with connect(here, tmp_path, alone(password=Secret(PASSWORD))) as link:
        with pytest.raises(SftpUnavailable):
            link.open_sftp()
        assert link.run(["still", "here"]).out == b"ran still here\n"
