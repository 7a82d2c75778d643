"""The address of a saved server: its entry of deploy.toml, and what ~/.ssh/config says about it."""

from __future__ import annotations

from dataclasses import replace

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.config.schema import ServerSection
from sovdeck.remote.hosts.address import ip_version
from sovdeck.remote.hosts.spec import Family, HostSpec
from sovdeck.remote.hosts.ssh_config import resolve_host_spec


def saved_spec(name: str, server: ServerSection, family: Family = "auto") -> HostSpec:
    """The address of a server of deploy.toml; Problem for the embedded one, which has none.

    family: for servers that say nothing about it themselves.
    """
    if server.embedded:
        raise Problem("remote.config.embedded_address", ExitCode.CONFIG, name=name)
    spec = resolve_host_spec(server.ssh or server.host or "", jump=server.jump or "")
    chosen = server.family if server.family != "auto" else spec.family
    return replace(
        spec,
        alias=name,
        port=server.port or spec.port,
        user=server.user or spec.user,
        identity=((server.identity,) if server.identity else ()) + spec.identity,
        family=chosen if chosen != "auto" or ip_version(spec.host) else family,
    )
