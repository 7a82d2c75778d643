"""What a use case needs of a server: its connections and the engine on it."""

from __future__ import annotations

from typing import Protocol

from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.ssh.client import SSHConnection


class DeployedServer(Protocol):
    """A server with the engine on it; a `ServerSession` is one."""

    def connect(self) -> SSHConnection:
        """Open a connection of its own, which the caller closes: transfers use several."""

    def connection(self) -> SSHConnection:
        """Return the shared connection."""

    def require_deployment(self) -> Deployed:
        """Return the deployment; Problem when there is none."""
