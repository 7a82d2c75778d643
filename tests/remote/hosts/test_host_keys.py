"""Host keys: asked once, pinned, and a changed one stops everything before a password is sent."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from scripted_sshd import PASSWORD, Build, Rules

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.auth.credentials import Credentials
from sovdeck.remote.hosts.known_hosts import HostKey, format_known_hosts_name, parse_known_hosts
from sovdeck.remote.secret import Secret
from sovdeck.remote.ssh.client import HostKeyPolicy, SSHConnection


def host_key(kind: str = "ssh-ed25519") -> HostKey:
    size: Any = {"key_size": 2048} if kind == "ssh-rsa" else {}
    key = asyncssh.generate_private_key(kind, **size)
    return HostKey(key.get_algorithm(), key.public_data)


KEY, OTHER, ECDSA = host_key(), host_key(), host_key("ecdsa-sha2-nistp256")


def words(key: HostKey) -> str:
    return f"{key.key_type} {base64.b64encode(key.blob).decode()}"


def hashed(place: str) -> str:
    salt = b"0123456789abcdefghij"
    digest = hmac.new(salt, place.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def trusting(tmp_path: Path, text: str = "", **options: object) -> HostKeyPolicy:
    """A Trust whose user's known_hosts holds `text`."""
    known = tmp_path / "user_known_hosts"
    known.write_text(text)
    return HostKeyPolicy(tmp_path / "store", known_hosts=[known], **options)  # type: ignore[arg-type]


def refusal(trust: HostKeyPolicy, key: HostKey = KEY, host: str = "h", port: int = 22) -> Problem:
    with pytest.raises(Problem) as caught:
        trust.check(format_known_hosts_name(host, port), key, name="box")
    assert caught.value.exit_code is ExitCode.REFUSED
    return caught.value


@pytest.mark.parametrize(
    ("line", "host", "port"),
    [
        (f"h {words(KEY)}", "h", 22),
        (f"H.Example {words(KEY)}", "h.example", 22),
        (f"h,10.0.0.1 {words(KEY)} me@laptop", "10.0.0.1", 22),
        (f"[h]:2222 {words(KEY)}", "h", 2222),
        (f"[::1]:2222 {words(KEY)}", "::1", 2222),
        (f"::1 {words(KEY)}", "::1", 22),
        (f"[fe80::2%dl0]:2201 {words(KEY)}", "fe80::2%dl0", 2201),
        (f"{hashed('[h]:2222')} {words(KEY)}", "h", 2222),
        (f"{hashed('h')}   {words(KEY)}", "h", 22),
        (f"*.example,!bad.example {words(KEY)}", "good.example", 22),
        (f"10.0.?.1 {words(KEY)}", "10.0.7.1", 22),
        (f"h {words(OTHER)}\nh {words(KEY)}", "h", 22),
        (f"@revoked * {words(OTHER)}\nh {words(KEY)}", "h", 22),
        (f"@cert-authority *.x {words(OTHER)}\nh\t{words(KEY)}", "h", 22),
        (f"h broken line\n# remark\n\n@odd h {words(OTHER)}\nh {words(KEY)}", "h", 22),
    ],
    ids=count(),  # keys are made anew each time: they may not name a case
)
def test_lines_of_known_hosts_as_they_really_look(
    tmp_path: Path, line: str, host: str, port: int
) -> None:
    trusting(tmp_path, line + "\n").check(format_known_hosts_name(host, port), KEY, name="box")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("", "key_unknown"),
        (f"[h]:2222 {words(KEY)}", "key_unknown"),
        (f"*.example,!h {words(KEY)}", "key_unknown"),
        (f"{hashed('other')} {words(KEY)}", "key_unknown"),
        (f"@cert-authority h {words(KEY)}", "key_unknown"),
        (f"h {words(OTHER)}", "key_changed"),
        (f"h {words(ECDSA)}", "key_changed"),
        (f"@revoked h {words(KEY)}\nh {words(KEY)}", "key_revoked"),
    ],
    ids=count(),  # keys are made anew each time: they may not name a case
)
def test_what_is_not_known_is_refused(tmp_path: Path, line: str, entry: str) -> None:
    assert refusal(trusting(tmp_path, line)).key == f"remote.host.{entry}"


def test_a_person_is_asked_once_and_the_answer_is_pinned(tmp_path: Path) -> None:
    asked: list[tuple[HostKey, str, str]] = []

    def ask(key: HostKey, host: str, known_since: str) -> bool:
        asked.append((key, host, known_since))
        return True

    trusting(tmp_path, ask=ask).check("[h]:2222", KEY, name="box")
    trusting(tmp_path, ask=ask).check("[h]:2222", KEY, name="box")
    assert asked == [(KEY, "[h]:2222", "")]


def test_a_no_pins_nothing(tmp_path: Path) -> None:
    trust = trusting(tmp_path, ask=lambda *_: False)
    assert refusal(trust).key == "remote.host.key_declined"
    assert not (tmp_path / "store").exists()


def test_fingerprints_given_beforehand(tmp_path: Path) -> None:
    trust = trusting(tmp_path, accepted_fingerprints=frozenset({KEY.fingerprint}))
    trust.check("h", KEY, name="box")
    # Whoever names fingerprints is not asked about others.
    trust = trusting(
        tmp_path, accepted_fingerprints=frozenset({KEY.fingerprint}), ask=lambda *_: True
    )
    assert refusal(trust, OTHER, "new").key == "remote.host.key_unknown"


def test_a_changed_key_says_since_when_and_how_to_accept_it(tmp_path: Path) -> None:
    trust = trusting(tmp_path)
    trust.pin("[h]:2222", OTHER)
    store = tmp_path / "store"
    store.write_text(store.read_text()[:-11] + "2025-04-01\n")
    problem = refusal(trust, KEY, "h", 2222)
    assert "2025-04-01" in problem.sentence() and "2025-04-01" in problem.sentence("zh")
    assert f"--accept-host-key {KEY.fingerprint}" in problem.sentence()
    stranger = frozenset({ECDSA.fingerprint})
    assert refusal(trusting(tmp_path, accepted_fingerprints=stranger), KEY, "h", 2222)
    trusting(tmp_path, accepted_fingerprints=frozenset({KEY.fingerprint})).check(
        "[h]:2222", KEY, name="box"
    )
    trust.check("[h]:2222", KEY, name="box")
    assert refusal(trust, OTHER, "h", 2222).key == "remote.host.key_changed", "one key, not two"


def test_a_person_may_accept_a_changed_key(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(reply: bool) -> Callable[[HostKey, str, str], bool]:
        def ask(key: HostKey, host: str, known_since: str) -> bool:
            asked.append(known_since)
            return reply

        return ask

    trusting(tmp_path).pin("h", OTHER)
    assert refusal(trusting(tmp_path, ask=answer(False))).key == "remote.host.key_changed"
    trusting(tmp_path, ask=answer(True)).check("h", KEY, name="box")
    assert len(asked) == 2 and all(asked)
    trusting(tmp_path).check("h", KEY, name="box")


def test_ours_wins_over_an_old_key_in_openssh_s_file(tmp_path: Path) -> None:
    problem = refusal(trusting(tmp_path, f"[h]:2222 {words(OTHER)}"), KEY, "h", 2222)
    assert "user_known_hosts:1" in problem.sentence()
    accepted = frozenset({KEY.fingerprint})
    trust = trusting(tmp_path, f"[h]:2222 {words(OTHER)}", accepted_fingerprints=accepted)
    trust.check("[h]:2222", KEY, name="box")
    trusting(tmp_path, f"[h]:2222 {words(OTHER)}").check("[h]:2222", KEY, name="box")


def test_forgetting_leaves_the_others(tmp_path: Path) -> None:
    trust = trusting(tmp_path)
    for port in (1, 2, 3):
        trust.pin(f"[h]:{port}", KEY)
    assert trust.forget("[h]:2") == 1 and trust.forget("[h]:2") == 0
    places = [entry.patterns for entry in parse_known_hosts((tmp_path / "store").read_text())]
    assert places == ["[h]:1", "[h]:3"]


def test_fingerprints_and_places_are_openssh_s() -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    assert HostKey("ssh-ed25519", key.public_data).fingerprint == key.get_fingerprint()
    assert (
        format_known_hosts_name("H", 22) == "h"
        and format_known_hosts_name("::1", 2222) == "[::1]:2222"
    )


def test_a_changed_key_stops_before_any_credential(house: Build, tmp_path: Path) -> None:
    first = house(Rules(password=PASSWORD))
    trust = HostKeyPolicy(tmp_path / "store", ask=lambda _f, _h, known_since: not known_since)
    credentials = Credentials(use_agent=False, default_keys=False, password=Secret(PASSWORD))
    SSHConnection.connect(first.spec(), trust=trust, credentials=credentials).close()
    first.stop()
    second = house(Rules(password=PASSWORD), port=first.port)
    with pytest.raises(Problem) as caught:
        SSHConnection.connect(first.spec(alias="box"), trust=trust, credentials=credentials)
    assert caught.value.key == "remote.host.key_changed"
    assert second.fingerprint in caught.value.sentence()
    assert first.fingerprint in caught.value.sentence()
    assert second.rules.offered == []


def test_the_kind_of_key_we_know_is_asked_for(house: Build, tmp_path: Path) -> None:
    """A server with several keys shows the pinned kind, so no false alarm is raised."""
    rsa = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    here = house(Rules(password=PASSWORD), key=rsa)
    trust = HostKeyPolicy(tmp_path / "store")
    trust.pin(here.spec().known_hosts_name, HostKey("ssh-rsa", rsa.public_data))
    assert trust.preferred_key_types(here.spec().known_hosts_name)[0] == "rsa-sha2-512"
    credentials = Credentials(use_agent=False, default_keys=False, password=Secret(PASSWORD))
    SSHConnection.connect(here.spec(), trust=trust, credentials=credentials).close()


def test_two_writers_do_not_lose_pins(tmp_path: Path) -> None:
    trust = trusting(tmp_path)

    async def pin_all() -> None:
        await asyncio.gather(
            *(asyncio.to_thread(trust.pin, f"[h]:{port}", KEY) for port in range(1, 30))
        )

    asyncio.run(pin_all())
    assert len(parse_known_hosts((tmp_path / "store").read_text())) == 29


def test_a_line_beyond_ascii_hides_no_other() -> None:
    good = "box ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me"
    odd = [
        "büro ssh-ed25519 schlüssel",
        "|1|größe|größe ssh-ed25519 AAAA",
        "服务器 声音 声音",
        "\x00 \x00 \x00",
    ]
    entries = parse_known_hosts("\n".join([*odd, good]))
    assert [entry.patterns for entry in entries if entry.matches("box")] == ["box"]
