"""How the SSH library asks whether a host key may be trusted."""

from __future__ import annotations

from typing import Any

from sovdeck.remote.hosts.host_key_policy import HostKeyPolicy
from sovdeck.remote.hosts.known_hosts import HostKey
from sovdeck.remote.hosts.spec import HostSpec


class ParamikoHostKeyPolicy:
    """Hands every host key to a HostKeyPolicy; paramiko's own known_hosts stay empty on purpose."""

    def __init__(self, policy: HostKeyPolicy, spec: HostSpec) -> None:
        self._policy, self._spec = policy, spec

    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        """Check a host key; called by paramiko for every server."""
        spec = self._spec
        certificate = key.public_blob
        offered = HostKey(key.get_name(), certificate.key_blob if certificate else key.asbytes())
        self._policy.check(spec.known_hosts_name, offered, name=spec.name)
