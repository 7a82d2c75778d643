"""What a deployment leaves behind: enough to start runs on that server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from engine.contract.layout import Layout


@dataclass(frozen=True)
class Deployed:
    """The engine as it stands on one server.

    python: absolute path of the interpreter that runs it. env: environment of every run
    (PYTHONPATH and the caches on the data disk); it never holds a secret.
    """

    layout: Layout
    python: str
    code_sha: str
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def code(self) -> PurePosixPath:
        return self.layout.code(self.code_sha)

    @property
    def supervisor(self) -> PurePosixPath:
        return self.code / "agent" / "supervise.sh"

    def engine(self, args: Sequence[str]) -> list[str]:
        """argv of `python -m engine ARGS` on the server, in the environment of its runs."""
        setting = [f"{name}={value}" for name, value in sorted(self.env.items())]
        return ["env", *setting, self.python, "-m", "engine", *args]
