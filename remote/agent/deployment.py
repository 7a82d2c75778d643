"""What a deployment leaves behind: enough to start runs on that server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from sovdeck.engine.contract.layout import Layout


@dataclass(frozen=True)
class Deployed:
    """The engine as it is installed on one server.

    python: absolute path of the interpreter that runs it. env: environment of every run
    (PYTHONPATH and the caches on the data disk); it never holds a secret. provider: name of the
    profile that was found. mount: of the disk the work folder is on, "" where that is unknown.
    """

    layout: Layout
    python: str
    code_sha: str
    env: Mapping[str, str] = field(default_factory=dict)
    provider: str = "plain"
    mount: str = ""

    @property
    def code_folder(self) -> PurePosixPath:
        """Folder of this code on the server, code/<sha>."""
        return self.layout.code(self.code_sha)

    @property
    def supervisor_script(self) -> PurePosixPath:
        """Path of supervise.sh on the server."""
        return self.code_folder / "agent" / "supervise.sh"

    def engine_argv(self, args: Sequence[str]) -> list[str]:
        """Return the argv of `python -m sovdeck.engine ARGS` in the environment of the runs."""
        assignments = [f"{name}={value}" for name, value in sorted(self.env.items())]
        return ["env", *assignments, self.python, "-m", "sovdeck.engine", *args]
