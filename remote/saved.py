"""The address of a saved server: its entry of deploy.toml, and what ~/.ssh/config says about it."""

from __future__ import annotations

from dataclasses import replace

from engine.contract.problem import ExitCode, Problem
from remote.address import literal_version
from remote.config.schema import Server
from remote.hostspec import Family, HostSpec
from remote.ssh_config import resolve


def saved_spec(name: str, server: Server, family: Family = "auto") -> HostSpec:
    """The address of a server of deploy.toml; Problem for the embedded one, which has none.

    family: for servers that say nothing about it themselves.
    """
    if server.embedded:
        raise Problem("remote.config.embedded_address", ExitCode.CONFIG, name=name)
    spec = resolve(server.ssh or server.host or "", jump=server.jump or "")
    chosen = server.family if server.family != "auto" else spec.family
    return replace(
        spec,
        alias=name,
        port=server.port or spec.port,
        user=server.user or spec.user,
        identity=((server.identity,) if server.identity else ()) + spec.identity,
        family=chosen if chosen != "auto" or literal_version(spec.host) else family,
    )
