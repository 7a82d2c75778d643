"""The POSIX sh scripts that run on a server, and the way to read them from the package.

They are dash-clean and need neither Python nor root: a rented container has a shell before it
has anything else.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

# Kept as files beside the engine's code on the server, since they outlive the connection.
RESIDENT = ("supervise.sh", "install.sh", "autostop.sh", "stop.sh", "process.sh")
_SOURCED = '. "${0%/*}/process.sh"'


@cache
def script(name: str) -> str:
    """The text of `remote/agent/<name>`, whole: there is no file beside it to be sourced."""
    return _text(name).replace(_SOURCED, _text("process.sh"))


def _text(name: str) -> str:
    return (files("remote.agent") / name).read_text(encoding="utf-8")
