"""An ssh configuration of our servers, included by the user's own, so that `ssh NAME` works."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from remote.hostspec import HostSpec, hops_text
from remote.rewrite import rewriting

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
_FAMILIES = {"4": "inet", "6": "inet6"}
_HEADER = "# Written by sovdeck from the list of its servers. Changes here are lost.\n"


def write_hosts(path: Path, servers: Mapping[str, HostSpec], known_hosts: Path) -> list[str]:
    """Write a Host block for each server; returns the names no Host line can hold.

    known_hosts: our own file, so that keys pinned by us are known to ssh as well.
    """
    left_out = [name for name in servers if not _NAME.match(name)]
    blocks = [_block(name, servers[name], known_hosts) for name in servers if name not in left_out]
    with rewriting(path) as lines:
        lines[:] = [_HEADER, *blocks]
    return left_out


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


def _block(name: str, spec: HostSpec, known_hosts: Path) -> str:
    percent = "%%"  # a zone or a path is no token of ssh_config
    lines = [f"HostName {spec.host.replace('%', percent)}", f"Port {spec.port}"]
    if spec.user:
        lines.append(f"User {spec.user}")
    for key in spec.identity:
        lines.append(f"IdentityFile {_quoted(key.replace('%', percent))}")
    if spec.only_identity:
        lines.append("IdentitiesOnly yes")
    if spec.jump:
        lines.append(f"ProxyJump {hops_text(spec.jump)}")
    if spec.family != "auto":
        lines.append(f"AddressFamily {_FAMILIES[spec.family]}")
    lines.append(f"UserKnownHostsFile {_quoted(known_hosts)} ~/.ssh/known_hosts")
    return f"\nHost {name}\n" + "".join(f"    {line}\n" for line in lines)
