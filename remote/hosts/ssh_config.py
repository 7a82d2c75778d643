"""A HostSpec from the line a person typed and their ~/.ssh/config."""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.hosts.address import check_host, check_port, check_user
from sovdeck.remote.hosts.host_key_options import HostKeyOptions
from sovdeck.remote.hosts.openssh_settings import find_openssh, lookup_with_openssh
from sovdeck.remote.hosts.spec import (
    ADDRESS_FAMILIES,
    SSH_PORT,
    HostSpec,
    ParsedDestination,
    parse_hops,
    parse_ssh_line,
    spec_with_defaults,
)
from sovdeck.remote.hosts.ssh_config_parser import SSHConfigSettings, lookup_settings

_MAX_HOPS = 8
_VARIABLE = re.compile(r"\$\{(\w+)\}")

# (host, user or "", port or None) -> what the configuration says
_Lookup = Callable[[str, str, int | None], SSHConfigSettings]


def user_config_files() -> list[Path]:
    """Return the user's ssh configuration files."""
    return [Path.home() / ".ssh" / "config"]


def resolve_host_spec(
    text: str, files: Sequence[Path] | None = None, *, jump: str = ""
) -> HostSpec:
    """Parse a line and fill what it left open from ssh configuration files.

    files: None asks the installed OpenSSH about the user's own, or reads it where there is none;
    others are read here, () reads none. jump: hops in place of those the line and the files name.
    Problems: remote.host.* for the line, remote.sshconfig.* for what the files make of it.
    """
    parsed = parse_ssh_line(text)
    if jump:
        parsed = replace(parsed, jump=parse_hops(jump))
    read = list(user_config_files() if files is None else files)
    ssh = find_openssh() if files is None and any(file.is_file() for file in read) else None

    def lookup(host: str, user: str, port: int | None) -> SSHConfigSettings:
        found = lookup_with_openssh(ssh, host, user, port, read[0]) if ssh else None
        return lookup_settings(host, user, read) if found is None else found

    return _apply_config(parsed, lookup, ())


def _apply_config(parsed: ParsedDestination, lookup: _Lookup, visited: tuple[str, ...]) -> HostSpec:
    if parsed.host in visited or len(visited) > _MAX_HOPS:
        raise Problem("remote.sshconfig.loop", ExitCode.CONFIG, host=parsed.host)
    settings = lookup(parsed.host, parsed.user, parsed.port)
    user = parsed.user or settings.first("user") or ""
    host = check_host(expand_tokens(settings.first("hostname") or parsed.host, {"h": parsed.host}))
    config_port = settings.first("port")
    port = parsed.port or (check_port(config_port) if config_port else None)
    family = parsed.family
    if family == "auto":
        family = ADDRESS_FAMILIES.get((settings.first("addressfamily") or "any").lower(), "auto")
    tokens = _path_tokens(parsed.host, host, port or SSH_PORT, user)
    identity = _expanded_paths(settings, "identityfile", tokens)
    jump, proxy_command = _resolve_way(parsed, settings, lookup, (*visited, parsed.host))
    return spec_with_defaults(
        ParsedDestination(
            host=host,
            port=port,
            user=check_user(user) if user else "",
            identity=tuple(dict.fromkeys(parsed.identity + identity)),
            jump=jump,
            family=family,
            alias=parsed.alias or (parsed.host if host != parsed.host else ""),
            only_identity=parsed.only_identity or settings.first("identitiesonly") == "yes",
            certificates=parsed.certificates + _expanded_paths(settings, "certificatefile", tokens),
            host_key_options=_host_key_options(parsed.host_key_options, settings, tokens),
            identity_agent=parsed.identity_agent
            or expand_tokens(settings.first("identityagent") or "", tokens),
            proxy_command=proxy_command,
        )
    )


def _expanded_paths(
    settings: SSHConfigSettings, keyword: str, tokens: Mapping[str, str]
) -> tuple[str, ...]:
    return tuple(expand_tokens(path, tokens) for path in settings.all(keyword) if path != "none")


def _host_key_options(
    typed_options: HostKeyOptions, settings: SSHConfigSettings, tokens: Mapping[str, str]
) -> HostKeyOptions:
    """Return what was typed, and where that is silent what the files say."""
    return HostKeyOptions(
        typed_options.alias or (settings.first("hostkeyalias") or "").lower(),
        typed_options.files or _expanded_paths(settings, "userknownhostsfile", tokens),
        typed_options.strict
        or (settings.first("stricthostkeychecking") or "").lower() in ("yes", "true"),
    )


def _resolve_way(
    parsed: ParsedDestination,
    settings: SSHConfigSettings,
    lookup: _Lookup,
    visited: tuple[str, ...],
) -> tuple[tuple[HostSpec, ...], str]:
    """Return the hops, or the ProxyCommand in their place; what was typed wins."""
    if parsed.jump is not None:
        hops = parsed.jump
    elif settings.first("proxyjump"):
        hops = parse_hops(settings.first("proxyjump") or "none")
    else:
        command = settings.first("proxycommand") or "none"
        return (), "" if command.lower() == "none" else command
    chain: list[HostSpec] = []
    for hop in hops:
        port = hop.port if hop.port != SSH_PORT else None
        resolved = _apply_config(ParsedDestination(hop.host, port, hop.user), lookup, visited)
        # Only the first hop may have a way of its own: the others are reached from their neighbour.
        if chain:
            resolved = replace(resolved, proxy_command="")
        else:
            chain += resolved.jump
        chain.append(replace(resolved, jump=(), family="auto", alias="", only_identity=False))
    return tuple(chain), ""


def _path_tokens(typed: str, host: str, port: int, user: str) -> dict[str, str]:
    """Return the tokens of ssh_config(5) for paths, but for those of the connection's hash."""
    local = socket.gethostname()
    return {
        "h": host,
        "k": typed,
        "n": typed,
        "p": str(port),
        "r": user or getpass.getuser(),
        "u": getpass.getuser(),
        "d": str(Path.home()),
        "i": str(os.getuid()) if os.name == "posix" else "",
        "l": local,
        "L": local.partition(".")[0],
    }


def expand_tokens(text: str, tokens: Mapping[str, str]) -> str:
    """Fill in `%x` and `${NAME}`; what is no token stays as it is."""
    out, at = "", 0
    while at < len(text):
        letter = text[at + 1 : at + 2]
        if text[at] == "%" and (letter == "%" or letter in tokens):
            out += "%" if letter == "%" else tokens[letter]
            at += 2
        elif (variable := _VARIABLE.match(text, at)) and variable[1] in os.environ:
            out += os.environ[variable[1]]
            at = variable.end()
        else:
            out += text[at]
            at += 1
    return out
