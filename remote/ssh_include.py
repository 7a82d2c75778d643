"""An ssh configuration of our servers, included by the user's own, so that `ssh NAME` works.

Hops are Host blocks too: what stands on a command line reaches no hop, and a hop's key is
pinned in our file like any other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from remote.hostspec import HostSpec
from remote.rewrite import rewriting

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
_FAMILIES = {"4": "inet", "6": "inet6"}
_USERS = ("~/.ssh/known_hosts",)
_HEADER = "# Written by sovdeck from the list of its servers. Changes here are lost.\n"


def write_hosts(path: Path, servers: Mapping[str, HostSpec], known_hosts: Path) -> list[str]:
    """Write a Host block for each server; returns the names no Host line can hold.

    known_hosts: our own file, so that keys pinned by us are known to ssh as well.
    """
    left_out = [name for name in servers if not _NAME.match(name)]
    blocks = [
        block
        for name in servers
        if name not in left_out
        for block in _blocks(name, servers[name], known_hosts)
    ]
    with rewriting(path) as lines:
        lines[:] = [_HEADER, *blocks]
    return left_out


def write_entry(path: Path, hosts: Path) -> None:
    """Write a configuration for `ssh -F`: our servers, and then all that holds without -F."""
    system = Path("/etc/ssh/ssh_config")
    others = ["Include ~/.ssh/config\n", *([f"Include {system}\n"] if system.is_file() else [])]
    with rewriting(path) as lines:
        lines[:] = [_HEADER, _include_line(hosts), *others]


def include(config: Path, ours: Path) -> bool:
    """Put `Include` of our file at the top of the user's; False when it is there already.

    The top, since an Include below a Host line would belong to that host only.
    """
    line = _include_line(ours)
    with rewriting(config) as lines:
        if line in lines:
            return False
        lines.insert(0, line)
    return True


def exclude(config: Path, ours: Path) -> bool:
    """Take the `Include` out again; False when there was none."""
    line = _include_line(ours)
    if not config.exists():
        return False
    with rewriting(config) as lines:
        found = line in lines
        lines[:] = [one for one in lines if one != line]
    return found


def _include_line(ours: Path) -> str:
    return f"Include {_quoted(ours)}\n"


def _quoted(path: Path | str) -> str:
    return '"' + str(path).replace('"', '\\"') + '"'


def _blocks(name: str, spec: HostSpec, known_hosts: Path) -> list[str]:
    """Its Host block after those of its hops; each is reached through the one before it."""
    blocks, through = [], ""
    for number, hop in enumerate(spec.jump, 1):
        inner = replace(
            hop, identity=hop.identity or spec.identity, only_identity=spec.only_identity
        )
        hop_name = f"sovdeck-{name}-hop-{number}"
        blocks.append(_block(hop_name, inner, through, known_hosts))
        through = hop_name
    return [*blocks, _block(name, spec, through, known_hosts)]


def _block(name: str, spec: HostSpec, through: str, known_hosts: Path) -> str:
    lines = [f"HostName {_plain(spec.host)}", f"Port {spec.port}"]
    if spec.user:
        lines.append(f"User {spec.user}")
    lines += [f"IdentityFile {_quoted(_plain(key))}" for key in spec.identity]
    lines += [f"CertificateFile {_quoted(_plain(file))}" for file in spec.certificates]
    if spec.only_identity:
        lines.append("IdentitiesOnly yes")
    if through:
        lines.append(f"ProxyJump {through}")
    if spec.family != "auto":
        lines.append(f"AddressFamily {_FAMILIES[spec.family]}")
    rules = spec.key_rules
    if rules.alias:
        lines.append(f"HostKeyAlias {rules.alias}")
    if rules.strict:
        lines.append("StrictHostKeyChecking yes")
    files = [_quoted(_plain(str(file))) for file in (known_hosts, *rules.files)]
    lines.append(" ".join(["UserKnownHostsFile", *files, *(_USERS if not rules.files else ())]))
    return f"\nHost {name}\n" + "".join(f"    {line}\n" for line in lines)


def _plain(text: str) -> str:
    """A zone or a path is no token of ssh_config."""
    return text.replace("%", "%%")
