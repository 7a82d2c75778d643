"""Who may open the page, as a pure decision."""

from __future__ import annotations

import pytest

from engine.contract.problem import Problem
from tui.web.guard import Door, loopback

DOOR = Door("127.0.0.1", 8017, "right")
HERE, OURS = "127.0.0.1:8017", "http://127.0.0.1:8017"


@pytest.mark.parametrize(
    ("path", "host", "origin", "cookie", "token", "verdict"),
    [
        ("/", HERE, None, None, "right", "enter"),
        ("/", HERE, None, None, "wrong", "no_token"),
        ("/", HERE, None, None, None, "no_token"),
        ("/", HERE, None, "right", None, "pass"),
        ("/", HERE, None, "wröng", None, "no_token"),
        ("/static/js/textual.js", HERE, None, None, "right", "no_token"),
        ("/static/js/textual.js", HERE, None, "right", None, "pass"),
        ("/ws", HERE, OURS, "right", None, "pass"),
        ("/ws", HERE, None, "right", None, "wrong_origin"),
        ("/ws", HERE, "http://evil.example", "right", None, "wrong_origin"),
        ("/ws", HERE, "null", "right", None, "wrong_origin"),
        ("/ws", HERE, "http://127.0.0.1:9999", "right", None, "wrong_origin"),
        ("/ws", HERE, "https://127.0.0.1:8017", "right", None, "wrong_origin"),
        ("/", "evil.example:8017", None, "right", None, "wrong_host"),
        ("/", "127.0.0.1", None, "right", "right", "wrong_host"),
        ("/", None, None, "right", "right", "wrong_host"),
    ],
)
def test_only_our_own_page_with_the_token_passes(
    path: str, host: str | None, origin: str | None, cookie: str | None, token: str | None,
    verdict: str,
) -> None:  # fmt: skip
    assert DOOR.judge(path, host, origin, cookie, token) == verdict


def test_an_ipv6_page_is_named_with_brackets() -> None:
    door = Door("::1", 80, "t")
    assert door.address == "http://[::1]:80/?token=t"
    assert door.judge("/", "[::1]:80", None, "t", None) == "pass"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.0.0.53"])
def test_loopback_addresses_are_taken(host: str) -> None:
    assert loopback(host) in ("127.0.0.1", "::1", "127.0.0.53")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_any_other_address_is_refused(host: str) -> None:
    with pytest.raises(Problem, match="open to others"):
        loopback(host)
