"""Who may open the page, as a pure decision."""

from __future__ import annotations

import pytest

from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.web.guard import RequestGuard, loopback_address

DOOR = RequestGuard("127.0.0.1", 8017, "right", "session", "/inside/")
HERE, OURS = "127.0.0.1:8017", "http://127.0.0.1:8017"


@pytest.mark.parametrize(
    ("path", "host", "origin", "cookie", "token", "decision"),
    [
        ("/", HERE, None, None, "right", "enter"),
        ("/", HERE, None, None, "wrong", "no_token"),
        ("/", HERE, None, None, None, "no_token"),
        ("/", HERE, None, "session", None, "no_token"),
        ("/inside/", HERE, None, "session", None, "pass"),
        ("/inside/", HERE, None, "right", None, "no_token"),
        ("/inside/", HERE, None, "w\udcf6ng", None, "no_token"),
        ("/inside/", HERE, None, "wröng", None, "no_token"),
        ("/inside/static/js/textual.js", HERE, None, None, "right", "no_token"),
        ("/inside/static/js/textual.js", HERE, None, "session", None, "pass"),
        ("/static/js/textual.js", HERE, None, "session", None, "no_token"),
        ("/inside/ws", HERE, OURS, "session", None, "pass"),
        ("/inside/ws", HERE, None, "session", None, "wrong_origin"),
        ("/inside/ws", HERE, "http://evil.example", "session", None, "wrong_origin"),
        ("/inside/ws", HERE, "null", "session", None, "wrong_origin"),
        ("/inside/ws", HERE, "http://127.0.0.1:9999", "session", None, "wrong_origin"),
        ("/inside/ws", HERE, "https://127.0.0.1:8017", "session", None, "wrong_origin"),
        ("/", "evil.example:8017", None, "session", None, "wrong_host"),
        ("/", "127.0.0.1", None, "session", "right", "wrong_host"),
        ("/", None, None, "session", "right", "wrong_host"),
    ],
)
def test_only_our_own_page_with_the_token_passes(
    path: str,
    host: str | None,
    origin: str | None,
    cookie: str | None,
    token: str | None,
    decision: str,
) -> None:
    cookies = None if cookie is None else f"theme=dark; sovdeck_web_8017={cookie}"
    assert DOOR.check_request(path, host, origin, cookies, token) == decision


@pytest.mark.parametrize(
    ("cookies", "decision"),
    [
        ("sovdeck_web_8017=session; sovdeck_web_8017=evil", "pass"),
        ("sovdeck_web_8017=evil; sovdeck_web_8017=session", "pass"),
        ("sovdeck_web_8017=evil;sovdeck_web_8017=evil", "no_token"),
        ("sovdeck_web_8018=session", "no_token"),
        ("other=session; session", "no_token"),
        ('sovdeck_web_8017="session"', "no_token"),
        ("sovdeck_web_8017", "no_token"),
        (";;=; =session;", "no_token"),
        ("", "no_token"),
    ],
)
def test_a_cookie_of_another_port_neither_enters_nor_locks_out(cookies: str, decision: str) -> None:
    assert DOOR.check_request("/inside/", HERE, None, cookies, None) == decision


def test_an_ipv6_page_is_named_with_brackets() -> None:
    door = RequestGuard("::1", 80, "t", "s", "/x/")
    assert door.url == "http://[::1]:80/?token=t"
    assert door.check_request("/x/", "[::1]:80", None, "sovdeck_web_80=s", None) == "pass"


def test_each_process_draws_its_own_secrets() -> None:
    one, other = RequestGuard("::1", 80), RequestGuard("::1", 80)
    drawn = {one.token, one.session, one.folder, other.token, other.session, other.folder}
    assert len(drawn) == 6


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.0.0.53"])
def test_loopback_addresses_are_taken(host: str) -> None:
    assert loopback_address(host) in ("127.0.0.1", "::1", "127.0.0.53")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_any_other_address_is_refused(host: str) -> None:
    with pytest.raises(Problem, match="open to others"):
        loopback_address(host)
