"""The user's own ssh, told about our servers, our key and the host keys we pinned."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.contract.problem import ExitCode, Problem
from remote.config.places import Places
from remote.config.schema import Config, Server
from remote.credentials import Credentials
from remote.hostspec import HostSpec
from remote.saved import saved_spec
from remote.ssh_include import exclude, include, write_entry, write_hosts


def full_spec(name: str, server: Server, config: Config, places: Places) -> HostSpec:
    """The address with every key that our own link would offer.

    To OpenSSH the first IdentityFile replaces its usual ones, so these are named as well.
    """
    spec = saved_spec(name, server, config.network.family)
    if not places.key.exists() or (spec.only_identity and spec.identity):
        return spec
    files = Credentials(identities=(places.key,)).key_files(spec.identity)
    return replace(spec, identity=tuple(str(path) for path, _ in files))


def write(config: Config, places: Places) -> None:
    """Write our servers for OpenSSH, as they are now."""
    specs = {
        name: full_spec(name, server, config, places)
        for name, server in config.servers.items()
        if not server.embedded
    }
    write_hosts(places.ssh_hosts, specs, places.known_hosts)
    write_entry(places.ssh_config, places.ssh_hosts)


def refresh(config: Config, places: Places) -> None:
    """As `write`, where it was ever asked for."""
    if places.ssh_hosts.exists():
        write(config, places)


def command(name: str, places: Places, words: Sequence[str] = ()) -> list[str]:
    """The argv that logs in to a server written by `write`, or runs words there."""
    return ["ssh", "-F", str(places.ssh_config), name, *words]


def find_ssh() -> str:
    """Path of the system's ssh; Problem when there is none."""
    found = shutil.which("ssh")
    if found is None:
        raise Problem("remote.link.no_openssh", ExitCode.CONFIG)
    return found


def let_plain_ssh_know(places: Places, user_config: Path) -> bool:
    """Include our servers in the user's configuration; False when that was done before."""
    return include(user_config, places.ssh_hosts)


def leave_plain_ssh(places: Places, user_config: Path) -> bool:
    """Take the inclusion back; False when there was none."""
    return exclude(user_config, places.ssh_hosts)
