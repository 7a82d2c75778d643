"""A server with only some programs, for the agent: Python, openssl, or coreutils alone."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from sovdeck.remote.ssh.command import CommandResult

NAME = " odd 'name' $(touch x) 声\\n"
PLAIN = (
    "sh",
    "cut",
    "wc",
    "tr",
    "stat",
    "dd",
    "mkdir",
    "cp",
    "mv",
    "rm",
    "rmdir",
    "find",
    "grep",
    "date",
    "nice",
    "cat",
    "xargs",
    "tar",
)


TOOLS = {
    "python": (*PLAIN, "python3"),
    "old python": (*PLAIN, "python3", "openssl"),
    "openssl": (*PLAIN, "openssl"),
    "coreutils": (*PLAIN, "sha256sum"),
}


class Shell:
    """A link whose server has only the named programs."""

    def __init__(self, home: Path, programs: tuple[str, ...], python: str) -> None:
        self.home = home
        self.bin = home.parent / "bin"
        self.bin.mkdir()
        for name in programs:
            found = python if name == "python3" else shutil.which(name)
            assert found, name
            (self.bin / name).symlink_to(found)

    def age(self) -> None:
        """Let Python be one that cannot read the source."""
        (self.bin / "python3").unlink()
        (self.bin / "python3").write_text("#!/bin/sh\necho SyntaxError >&2\nexit 1\n")
        (self.bin / "python3").chmod(0o755)

    def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float | None = None
    ) -> CommandResult:
        environment = {"PATH": str(self.bin), "HOME": str(self.home), "LC_ALL": "C"}
        done = subprocess.run(
            argv, input=stdin, capture_output=True, cwd=self.home, env=environment, timeout=timeout
        )
        return CommandResult(done.returncode, done.stdout, done.stderr)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
