"""Problems of a connection that callers tell apart by type, not only by key."""

from __future__ import annotations

from typing import Any

from sovdeck.engine.contract.problem import ExitCode, Problem


class ConnectionLost(Problem):
    """The connection died under a running request. Retrying over a new one is sensible."""

    def __init__(self, server: str, why: str) -> None:
        super().__init__("remote.connection.lost", ExitCode.UNREACHABLE, server=server, why=why)

    def __reduce__(self) -> tuple[Any, ...]:
        return (ConnectionLost, (self.facts["server"], self.facts["why"]))


class InputClosed(Problem):
    """A program on the server takes no more input; what can still be read of it may say why."""

    def __init__(self, server: str) -> None:
        super().__init__("remote.connection.input_closed", ExitCode.INTERNAL, server=server)

    def __reduce__(self) -> tuple[Any, ...]:
        return (InputClosed, (self.facts["server"],))


class SftpUnavailable(Problem):
    """The server refuses the sftp subsystem, as RunPod's ssh proxy does."""

    def __init__(self, server: str) -> None:
        super().__init__("remote.connection.no_sftp", ExitCode.UNREACHABLE, server=server)

    def __reduce__(self) -> tuple[Any, ...]:
        return (SftpUnavailable, (self.facts["server"],))


def is_lost_line(problem: Problem, *, worked: bool) -> bool:
    """Whether trying again is sensible: the line was lost, perhaps in the middle of a log-in.

    worked: the same log-in has worked before. One that then ends without an answer met a lost
    line, or a server that takes no more connections; at first contact it is a refusal.
    """
    return problem.exit_code is ExitCode.UNREACHABLE or (
        worked and problem.key == "remote.auth.cut_off"
    )
