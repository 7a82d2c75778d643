"""OpenSSH configuration for our servers, with our key and the host keys we pinned."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.auth.credentials import Credentials
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.config.schema import ProjectConfig, ServerSection
from sovdeck.remote.hosts.spec import HostSpec
from sovdeck.remote.hosts.ssh_config_export import (
    add_include,
    remove_include,
    write_host_blocks,
    write_ssh_config,
)
from sovdeck.remote.servers.saved_spec import saved_spec


def spec_with_keys(
    name: str, server: ServerSection, config: ProjectConfig, app_paths: AppPaths
) -> HostSpec:
    """The address with every key that our own connection would offer.

    To OpenSSH the first IdentityFile replaces its usual ones, so these are named as well.
    """
    spec = saved_spec(name, server, config.network.family)
    if not app_paths.private_key.exists() or (spec.only_identity and spec.identity):
        return spec
    files = Credentials(identities=(app_paths.private_key,)).key_files(spec.identity)
    return replace(spec, identity=tuple(str(path) for path, _ in files))


def write_servers_config(config: ProjectConfig, app_paths: AppPaths) -> None:
    """Write our servers for OpenSSH, as they are now."""
    specs = {
        name: spec_with_keys(name, server, config, app_paths)
        for name, server in config.servers.items()
        if not server.embedded
    }
    write_host_blocks(app_paths.ssh_hosts_file, specs, app_paths.known_hosts)
    write_ssh_config(app_paths.ssh_config_file, app_paths.ssh_hosts_file)


def rewrite_ssh_config(config: ProjectConfig, app_paths: AppPaths) -> None:
    """Write our servers anew, where `write_servers_config` was ever called."""
    if app_paths.ssh_hosts_file.exists():
        write_servers_config(config, app_paths)


def ssh_command(name: str, app_paths: AppPaths, argv: Sequence[str] = ()) -> list[str]:
    """The argv that logs in to a server of `write_servers_config`, or runs `argv` there."""
    return ["ssh", "-F", str(app_paths.ssh_config_file), name, *argv]


def find_ssh() -> str:
    """Path of the system's ssh; Problem when there is none."""
    found = shutil.which("ssh")
    if found is None:
        raise Problem("remote.connection.no_openssh", ExitCode.CONFIG)
    return found


def include_in_ssh_config(app_paths: AppPaths, user_config: Path) -> bool:
    """Include our servers in the user's configuration; False when that was done before."""
    return add_include(user_config, app_paths.ssh_hosts_file)


def exclude_from_ssh_config(app_paths: AppPaths, user_config: Path) -> bool:
    """Remove the include again; False when there was none."""
    return remove_include(user_config, app_paths.ssh_hosts_file)
