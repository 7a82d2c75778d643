"""How the SSH library asks whether a host key may be trusted."""

from __future__ import annotations

from typing import Any

from remote.hostkeys import HostKey
from remote.hostspec import HostSpec
from remote.trust import Trust


class Policy:
    """Hands every host key to Trust: paramiko's own known_hosts stay empty on purpose."""

    def __init__(self, trust: Trust, spec: HostSpec) -> None:
        self._trust, self._spec = trust, spec

    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        spec = self._spec
        certificate = key.public_blob
        shown = HostKey(key.get_name(), certificate.key_blob if certificate else key.asbytes())
        self._trust.check(spec.place, shown, name=spec.name)
