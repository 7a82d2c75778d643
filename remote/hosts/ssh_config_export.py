"""An ssh configuration of our servers, included by the user's own, so that `ssh NAME` works.

Hops are Host blocks too: options of a command line reach no hop, and a hop's key is pinned in
our file like any other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sovdeck.remote.hosts.openssh_settings import system_ssh_folder
from sovdeck.remote.hosts.spec import HostSpec
from sovdeck.remote.locked_file import edit_lines

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
_FAMILIES = {"4": "inet", "6": "inet6"}
_USER_KNOWN_HOSTS = ("~/.ssh/known_hosts",)
_HEADER = "# Written by sovdeck from the list of its servers. Changes here are lost.\n"


def write_host_blocks(path: Path, servers: Mapping[str, HostSpec], known_hosts: Path) -> list[str]:
    """Write a Host block for each server; returns the names no Host line can hold.

    known_hosts: our own file, so that keys pinned by us are known to ssh as well.
    """
    skipped = [name for name in servers if not _NAME.match(name)]
    blocks = [
        block
        for name in servers
        if name not in skipped
        for block in _host_blocks(name, servers[name], known_hosts)
    ]
    with edit_lines(path) as lines:
        lines[:] = [_HEADER, *blocks]
    return skipped


def write_ssh_config(path: Path, hosts_file: Path) -> None:
    """Write a configuration for `ssh -F`: our servers, and then all that holds without -F."""
    system = system_ssh_folder() / "ssh_config"
    others = ["Include ~/.ssh/config\n", *([_include_line(system)] if system.is_file() else [])]
    with edit_lines(path) as lines:
        lines[:] = [_HEADER, _include_line(hosts_file), *others]


def add_include(config: Path, included: Path) -> bool:
    """Put `Include` of our file at the top of the user's; False when it is there already.

    The top, since an Include below a Host line would belong to that host only.
    """
    line = _include_line(included)
    with edit_lines(config) as lines:
        if line in lines:
            return False
        lines.insert(0, line)
    return True


def remove_include(config: Path, included: Path) -> bool:
    """Remove the `Include`; False when there was none."""
    line = _include_line(included)
    if not config.exists():
        return False
    with edit_lines(config) as lines:
        found = line in lines
        lines[:] = [one for one in lines if one != line]
    return found


def _include_line(included: Path) -> str:
    return f"Include {_quote(included)}\n"


def _quote(path: Path | str) -> str:
    return '"' + str(path).replace('"', '\\"') + '"'


def _host_blocks(name: str, spec: HostSpec, known_hosts: Path) -> list[str]:
    """Return the Host block after those of its hops; each is reached through the one before."""
    blocks, proxy_jump = [], ""
    for number, hop in enumerate(spec.jump, 1):
        inner = replace(
            hop, identity=hop.identity or spec.identity, only_identity=spec.only_identity
        )
        hop_name = f"sovdeck-{name}-hop-{number}"
        blocks.append(_format_block(hop_name, inner, proxy_jump, known_hosts))
        proxy_jump = hop_name
    return [*blocks, _format_block(name, spec, proxy_jump, known_hosts)]


def _format_block(name: str, spec: HostSpec, proxy_jump: str, known_hosts: Path) -> str:
    lines = [f"HostName {_escape_percent(spec.host)}", f"Port {spec.port}"]
    if spec.user:
        lines.append(f"User {spec.user}")
    lines += [f"IdentityFile {_quote(_escape_percent(key))}" for key in spec.identity]
    lines += [f"CertificateFile {_quote(_escape_percent(file))}" for file in spec.certificates]
    if spec.only_identity:
        lines.append("IdentitiesOnly yes")
    if spec.identity_agent:
        lines.append(f"IdentityAgent {_quote(_escape_percent(spec.identity_agent))}")
    if proxy_jump:
        lines.append(f"ProxyJump {proxy_jump}")
    elif spec.proxy_command:
        lines.append(f"ProxyCommand {spec.proxy_command}")
    if spec.family != "auto":
        lines.append(f"AddressFamily {_FAMILIES[spec.family]}")
    options = spec.host_key_options
    if options.alias:
        lines.append(f"HostKeyAlias {options.alias}")
    if options.strict:
        lines.append("StrictHostKeyChecking yes")
    files = [_quote(_escape_percent(str(file))) for file in (known_hosts, *options.files)]
    lines.append(
        " ".join(["UserKnownHostsFile", *files, *(_USER_KNOWN_HOSTS if not options.files else ())])
    )
    return f"\nHost {name}\n" + "".join(f"    {line}\n" for line in lines)


def _escape_percent(text: str) -> str:
    """Escape `%`, which begins a token in ssh_config, in a zone or a path."""
    return text.replace("%", "%%")
