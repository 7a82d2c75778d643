"""Host keys: asked once, pinned, and a changed one stops everything before a password is sent."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from itertools import count
from pathlib import Path

import asyncssh
import pytest
from gatehouse import PASSWORD, Build, Rules

from engine.contract.problem import ExitCode, Problem
from remote.credentials import Credentials
from remote.hostkeys import HostKey, place_of, read_entries
from remote.link import Link, Trust
from remote.secrets import Secret


def host_key(kind: str = "ssh-ed25519") -> HostKey:
    size = {"key_size": 2048} if kind == "ssh-rsa" else {}
    key = asyncssh.generate_private_key(kind, **size)
    return HostKey(key.get_algorithm(), key.public_data)


KEY, OTHER, ECDSA = host_key(), host_key(), host_key("ecdsa-sha2-nistp256")


def words(key: HostKey) -> str:
    return f"{key.kind} {base64.b64encode(key.blob).decode()}"


def hashed(place: str) -> str:
    salt = b"0123456789abcdefghij"
    digest = hmac.new(salt, place.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def trusting(tmp_path: Path, text: str = "", **options: object) -> Trust:
    """A Trust whose user's known_hosts holds `text`."""
    known = tmp_path / "user_known_hosts"
    known.write_text(text)
    return Trust(tmp_path / "store", known_hosts=[known], **options)  # type: ignore[arg-type]


def refusal(trust: Trust, key: HostKey = KEY, host: str = "h", port: int = 22) -> Problem:
    with pytest.raises(Problem) as caught:
        trust.check(place_of(host, port), key, name="box")
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
    trusting(tmp_path, line + "\n").check(place_of(host, port), KEY, name="box")
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
    asked: list[tuple[str, str]] = []

    def ask(fingerprint: str, host: str) -> bool:
        asked.append((fingerprint, host))
        return True

    trusting(tmp_path, ask=ask).check("[h]:2222", KEY, name="box")
    trusting(tmp_path, ask=ask).check("[h]:2222", KEY, name="box")
    assert asked == [(KEY.fingerprint, "[h]:2222")]


def test_a_no_pins_nothing(tmp_path: Path) -> None:
    trust = trusting(tmp_path, ask=lambda _f, _h: False)
    assert refusal(trust).key == "remote.host.key_declined"
    assert not (tmp_path / "store").exists()


def test_fingerprints_given_beforehand(tmp_path: Path) -> None:
    trust = trusting(tmp_path, accepted=frozenset({KEY.fingerprint}))
    trust.check("h", KEY, name="box")
    # Whoever names fingerprints is not asked about others.
    trust = trusting(tmp_path, accepted=frozenset({KEY.fingerprint}), ask=lambda _f, _h: True)
    assert refusal(trust, OTHER, "new").key == "remote.host.key_unknown"


def test_a_changed_key_says_since_when_and_how_to_forget(tmp_path: Path) -> None:
    trust = trusting(tmp_path, ask=lambda _f, _h: True)
    trust.pin("[h]:2222", OTHER)
    store = tmp_path / "store"
    store.write_text(store.read_text()[:-11] + "2025-04-01\n")
    problem = refusal(trust, KEY, "h", 2222)
    assert "2025-04-01" in problem.sentence() and "2025-04-01" in problem.sentence("zh")
    assert "sovdeck server forget-key box" in problem.sentence()
    assert trust.forget("[h]:2222") == 1
    trust.check("[h]:2222", KEY, name="box")


def test_a_key_known_by_openssh_is_forgotten_with_openssh(tmp_path: Path) -> None:
    problem = refusal(trusting(tmp_path, f"[h]:2222 {words(OTHER)}"), KEY, "h", 2222)
    assert "ssh-keygen -R '[h]:2222'" in problem.sentence()
    assert "user_known_hosts:1" in problem.sentence()


def test_forgetting_leaves_the_others(tmp_path: Path) -> None:
    trust = trusting(tmp_path)
    for port in (1, 2, 3):
        trust.pin(f"[h]:{port}", KEY)
    assert trust.forget("[h]:2") == 1 and trust.forget("[h]:2") == 0
    places = [entry.patterns for entry in read_entries((tmp_path / "store").read_text())]
    assert places == ["[h]:1", "[h]:3"]


def test_fingerprints_and_places_are_openssh_s() -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    assert HostKey("ssh-ed25519", key.public_data).fingerprint == key.get_fingerprint()
    assert place_of("H", 22) == "h" and place_of("::1", 2222) == "[::1]:2222"


def test_a_changed_key_stops_before_any_credential(house: Build, tmp_path: Path) -> None:
    first = house(Rules(password=PASSWORD))
    trust = Trust(tmp_path / "store", ask=lambda _f, _h: True)
    credentials = Credentials(use_agent=False, default_keys=False, password=Secret(PASSWORD))
    Link.connect(first.spec(), trust=trust, credentials=credentials).close()
    first.stop()
    second = house(Rules(password=PASSWORD), port=first.port)
    with pytest.raises(Problem) as caught:
        Link.connect(first.spec(alias="box"), trust=trust, credentials=credentials)
    assert caught.value.key == "remote.host.key_changed"
    assert second.fingerprint in caught.value.sentence()
    assert first.fingerprint in caught.value.sentence()
    assert second.rules.offered == []


def test_the_kind_of_key_we_know_is_asked_for(house: Build, tmp_path: Path) -> None:
    """A server with several keys shows the pinned kind, so no false alarm is raised."""
    rsa = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    here = house(Rules(password=PASSWORD), key=rsa)
    trust = Trust(tmp_path / "store")
    trust.pin(here.spec().place, HostKey("ssh-rsa", rsa.public_data))
    assert trust.wanted_kinds(here.spec().place)[0] == "rsa-sha2-512"
    credentials = Credentials(use_agent=False, default_keys=False, password=Secret(PASSWORD))
    Link.connect(here.spec(), trust=trust, credentials=credentials).close()


def test_two_writers_do_not_lose_pins(tmp_path: Path) -> None:
    trust = trusting(tmp_path)

    async def pin_all() -> None:
        await asyncio.gather(
            *(asyncio.to_thread(trust.pin, f"[h]:{port}", KEY) for port in range(1, 30))
        )

    asyncio.run(pin_all())
    assert len(read_entries((tmp_path / "store").read_text())) == 29
