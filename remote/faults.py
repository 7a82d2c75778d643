"""Problems of a connection that callers tell apart by type, not only by key."""

from __future__ import annotations

from typing import Any

from engine.contract.problem import ExitCode, Problem


class LinkLost(Problem):
    """The connection died under a running request. Retrying over a new link is sensible."""

    def __init__(self, server: str, why: str) -> None:
        super().__init__("remote.link.lost", ExitCode.UNREACHABLE, server=server, why=why)

    def __reduce__(self) -> tuple[Any, ...]:
        return (LinkLost, (self.facts["server"], self.facts["why"]))


class NoSftp(Problem):
    """The server refuses the sftp subsystem, as RunPod's ssh proxy does."""

    def __init__(self, server: str) -> None:
        super().__init__("remote.link.no_sftp", ExitCode.UNREACHABLE, server=server)

    def __reduce__(self) -> tuple[Any, ...]:
        return (NoSftp, (self.facts["server"],))
