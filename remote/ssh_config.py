"""What a person typed plus what their ~/.ssh/config says about it: one HostSpec."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.contract.problem import ExitCode, Problem
from remote.address import check_host, check_port, check_user
from remote.config_file import Settings, look_up
from remote.hostspec import Family, HostSpec, Typed, from_typed, parse_hops, parse_typed
from remote.key_rules import KeyRules

_FAMILIES: dict[str, Family] = {"any": "auto", "inet": "4", "inet6": "6"}
_MAX_HOPS = 8


def user_files() -> list[Path]:
    """The user's ssh configuration."""
    return [Path.home() / ".ssh" / "config"]


def resolve(text: str, files: Sequence[Path] | None = None, *, jump: str = "") -> HostSpec:
    """Parse a line and fill what it left open from ssh configuration files.

    files: None reads the user's own; () reads none. jump: hops in place of those the line and
    the files name. Problems: remote.host.* for the line,
    remote.sshconfig.* for what the files make of it.
    """
    typed = parse_typed(text)
    if jump:
        typed = replace(typed, jump=parse_hops(jump))
    return _fill(typed, list(user_files() if files is None else files), ())


def _fill(typed: Typed, files: list[Path], trail: tuple[str, ...]) -> HostSpec:
    if typed.host in trail or len(trail) > _MAX_HOPS:
        raise Problem("remote.sshconfig.loop", ExitCode.CONFIG, host=typed.host)
    found = look_up(typed.host, typed.user, files)
    user = typed.user or found.get("user") or ""
    host = check_host(_expand(found.get("hostname") or typed.host, typed.host, user))
    said_port = found.get("port")
    port = typed.port or (check_port(said_port) if said_port else None)
    family = typed.family
    if family == "auto":
        family = _FAMILIES.get((found.get("addressfamily") or "any").lower(), "auto")
    identity = _files(found, "identityfile", host, user)
    return from_typed(
        Typed(
            host=host,
            port=port,
            user=check_user(user) if user else "",
            identity=tuple(dict.fromkeys(typed.identity + identity)),
            jump=_hops(typed, found, files, (*trail, typed.host)),
            family=family,
            alias=typed.alias or (typed.host if host != typed.host else ""),
            only_identity=typed.only_identity or found.get("identitiesonly") == "yes",
            certificates=typed.certificates + _files(found, "certificatefile", host, user),
            key_rules=_key_rules(typed.key_rules, found, host, user),
        )
    )


def _files(found: Settings, keyword: str, host: str, user: str) -> tuple[str, ...]:
    return tuple(_expand(path, host, user) for path in found.all(keyword) if path != "none")


def _key_rules(typed: KeyRules, found: Settings, host: str, user: str) -> KeyRules:
    """What was typed, and where that is silent what the files say."""
    return KeyRules(
        typed.alias or (found.get("hostkeyalias") or "").lower(),
        typed.files or _files(found, "userknownhostsfile", host, user),
        typed.strict or (found.get("stricthostkeychecking") or "").lower() in ("yes", "true"),
    )


def _hops(
    typed: Typed, found: Settings, files: list[Path], trail: tuple[str, ...]
) -> tuple[HostSpec, ...]:
    if typed.jump is not None:
        said = typed.jump
    elif found.get("proxyjump"):
        said = parse_hops(found.get("proxyjump") or "none")
    else:
        if (found.get("proxycommand") or "none").lower() != "none":
            raise Problem("remote.sshconfig.proxy_command", ExitCode.CONFIG, host=typed.host)
        return ()
    chain: list[HostSpec] = []
    for hop in said:
        port = hop.port if hop.port != 22 else None
        full = _fill(Typed(hop.host, port, hop.user), files, trail)
        # Only the first hop may have hops of its own: the others are reached from their neighbour.
        if not chain:
            chain += full.jump
        chain.append(replace(full, jump=(), family="auto", alias="", only_identity=False))
    return tuple(chain)


def _expand(text: str, host: str, user: str) -> str:
    """The tokens of ssh_config(5) that make sense before connecting."""
    values = {
        "%%": "%",
        "%h": host,
        "%n": host,
        "%r": user or getpass.getuser(),
        "%u": getpass.getuser(),
        "%d": str(Path.home()),
    }
    out, at = "", 0
    while at < len(text):
        token = text[at : at + 2]
        out += values.get(token, text[at])
        at += 2 if token in values else 1
    return out
