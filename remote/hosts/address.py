"""The parts of an address: host names, IPv6 literals, ports, users. Pure."""

from __future__ import annotations

import ipaddress
import re

from sovdeck.engine.contract.problem import ExitCode, Problem

_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_.])?\Z")
_ZONE = re.compile(r"[A-Za-z0-9_.-]{1,32}\Z")
# What OpenSSH itself refuses in user names since 9.6, and what its own lists would split at.
_USER = re.compile(r"(?!-)[^\s\x00-\x1f\x7f-\x9f'\"`$;&<>|(){}:,/\\]{1,128}\Z")

MAX_REASON = 300  # characters of why something failed, as another program says it


def check_host(text: str) -> str:
    """Return the canonical host: lower-case name, or compressed IP literal without brackets."""
    literal = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    address, percent, zone = literal.partition("%")
    if ":" in address:
        try:
            plain = str(ipaddress.IPv6Address(address))
        except ValueError:
            raise Problem(
                "remote.host.bad_v6", ExitCode.CONFIG, host=to_printable(literal)
            ) from None
        if percent and not _ZONE.match(zone):
            raise Problem("remote.host.bad_v6", ExitCode.CONFIG, host=to_printable(literal))
        return f"{plain}%{zone}" if percent else plain
    name = literal.lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            raise Problem(
                "remote.host.bad_name", ExitCode.CONFIG, host=to_printable(text)
            ) from None
    if literal != text or len(name) > 253 or not _NAME.match(name):
        raise Problem("remote.host.bad_name", ExitCode.CONFIG, host=to_printable(text))
    return name


def ip_version(host: str) -> str | None:
    """Return "4" or "6" for a literal address, None for a name."""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]).version)
    except ValueError:
        return None


def check_port(text: str) -> int:
    """Return the port 1..65535 of its decimal text; Problem `bad_port` repeats what was given."""
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= 65535):
        raise Problem("remote.host.bad_port", ExitCode.CONFIG, port=to_printable(text))
    return int(text)


def _check_port_after_colon(text: str) -> int:
    """As `check_port`, where people also paste a password: only figures are repeated."""
    if text.isascii() and text.lstrip("-").isdigit() and len(text) < 12:
        return check_port(text)
    raise Problem("remote.host.no_port_after_colon", ExitCode.CONFIG)


def check_user(text: str) -> str:
    """Return the user name, or refuse one a shell or OpenSSH would misread."""
    if not _USER.match(text):
        raise Problem(
            "remote.host.bad_user", ExitCode.CONFIG, user=to_printable(text.partition(":")[0])
        )
    return text


def split_destination(text: str) -> tuple[str, str, int | None]:
    """Split `user@host:port`, `[v6]:port`, a bare v6 literal or a name into (user, host, port).

    An empty user or a None port means: not given. Problem remote.host.* for anything else.
    """
    user, at, address = text.rpartition("@")
    if at and ":" in user:
        # Never shown: what stands after the colon is a password.
        raise Problem("remote.host.password_inside", ExitCode.CONFIG)
    if at:
        user = check_user(user)
    if address.startswith("["):
        host, bracket, rest = address.partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise Problem("remote.host.bad_v6", ExitCode.CONFIG, host=to_printable(address))
        if ":" not in host:
            raise Problem("remote.host.bad_v6", ExitCode.CONFIG, host=to_printable(address))
        return user, check_host(host + "]"), _check_port_after_colon(rest[1:]) if rest else None
    if address.partition("%")[0].count(":") > 1:
        return user, check_host(address), None
    host, colon, port = address.partition(":")
    return user, check_host(host), _check_port_after_colon(port) if colon else None


def bracket_ipv6(host: str) -> str:
    """Return a host as URLs and scp need it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def to_printable(text: str, limit: int = 60) -> str:
    """Return foreign text printable and at most `limit` characters long, for a sentence of ours."""
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= limit else clean[: limit - 3] + "..."
